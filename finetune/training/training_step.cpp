#include "finetune/training/training_step.h"

#include <algorithm>
#include <chrono>

#include "runtime/core/error.h"
#include "runtime/core/processor_device.h"
#include "runtime/core/random.h"

namespace graft {

namespace {

/// The plan. Throws Error where a batch's scores are not a row of `outputs` a picture.
TrainingPlan& checked(TrainingPlan& plan, int64_t batch, int64_t outputs) {
  for (size_t o = 0; o < plan.scores; ++o) {
    const Shape shape = plan.plan.output(o).shape;
    if (shape.empty() || shape[0] != batch || shape.elements() != batch * outputs)
      throw Error("the network's scores are " + shape.str() + " for a batch of " + std::to_string(batch) +
                      ": it has no row of " + std::to_string(outputs) + " for each picture",
                  "a network that is fixed to one picture trains its head alone (all else frozen)");
  }
  return plan;
}

/// For each output of a plan that releases gradients early, the index of its parameter; else empty.
std::vector<size_t> parameters_of_outputs(const TrainingPlan& plan, const std::vector<Parameter>& parameters) {
  std::vector<size_t> found;
  if (plan.plan.graph().early_releases.empty()) return found;
  found.resize(plan.plan.output_count());
  for (const auto& [tensor, output] : plan.gradients) {
    const auto is_it = [&, wanted = tensor](const Parameter& p) { return p.tensor == wanted; };
    found[output] = static_cast<size_t>(std::find_if(parameters.begin(), parameters.end(), is_it) - parameters.begin());
  }
  return found;
}

}  // namespace

TrainingStep::TrainingStep(TrainingPlan& plan, TrainingState& state, const Loss& loss, Optimizer& optimizer,
                           const TrainOptions& options, int64_t outputs, int64_t accumulate)
    : plan_(checked(plan, options.batch, outputs)),
      state_(state),
      options_(options),
      accumulate_(accumulate),
      device_(device_of(plan.plan.backend())),
      host_(loss, optimizer, state.parameters, state.slots),
      targets_(choose_targets(plan.plan.backend(), host_, optimizer, options)),
      inputs_(StepInputs::make(plan.plan)),
      loss_(plan, options, targets_.loss, outputs),
      update_(plan, state, options, targets_.update, accumulate),
      statistics_(plan, targets_.statistics),
      step_done_(device_.make_event()),
      parameter_of_(parameters_of_outputs(plan, state.parameters)) {}

void TrainingStep::synchronize() {
  update_.synchronize();
  statistics_.synchronize();
  inputs_->discard();
}

StepContext TrainingStep::context() const {
  return {mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.batches)};
}

template <typename Work>
void TrainingStep::timed(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  update_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void TrainingStep::forward_pass() {
  if (capturing_)
    plan_.plan.queue_forward();
  else
    plan_.plan.forward(context());
}

void TrainingStep::backward_pass() {
  if (capturing_)
    plan_.plan.queue_backward();
  else
    plan_.plan.backward(context(), [this](size_t output) { timed([&] { update_.apply_one(parameter_of_[output]); }); });
}

void TrainingStep::forward(bool keep) {
  forward_pass();
  loss_.compute(scale(), keep);
}

void TrainingStep::forward_statistics(const FeedBatch& batch,
                                      std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums) {
  inputs_->stage(batch);
  plan_.plan.forward(context());
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto [mean, variance] = statistics_.measured(i);
    const int64_t count = plan_.statistics[i].count;
    const double unbias = count > 1 ? static_cast<double>(count) / static_cast<double>(count - 1) : 1.0;
    sums[i].first.resize(mean.size());
    sums[i].second.resize(variance.size());
    for (size_t c = 0; c < mean.size(); ++c) {
      sums[i].first[c] += static_cast<double>(mean[c]);
      sums[i].second[c] += unbias * static_cast<double>(variance[c]);
    }
  }
}

TrainingStep::Result TrainingStep::measure(const FeedBatch& batch) {
  inputs_->stage(batch);
  loss_.upload(batch);
  forward(true);
  backward_pass();
  device_.synchronize();
  const Result result = loss_.sums();
  update_.accumulate(result.weight);
  return result;
}

void TrainingStep::compute() {
  forward(true);
  backward_pass();
  statistics_.update();
  if (options_.gradient.sharpness > 0) {
    update_.perturb();
    forward(false);
    backward_pass();
    update_.restore();
  }
  if (accumulate_ <= 1) timed([&] { update_.apply(); });
}

bool TrainingStep::replay() {
  const bool first = !warm_;
  warm_ = true;
  if (first || !plan_.plan.can_be_captured()) return false;
  const Backend& backend = plan_.plan.backend();
  backend.begin(context());
  if (!captured_ || captured_scale_ != scale()) {
    captured_ = backend.capture([this] {
      struct Capturing {
        bool& flag;
        explicit Capturing(bool& f) : flag(f) { flag = true; }
        ~Capturing() { flag = false; }
      } const capturing(capturing_);
      compute();
    });
    captured_scale_ = scale();
  }
  if (!captured_) return false;
  captured_->replay();
  return true;
}

TrainingStep::Result TrainingStep::run(const FeedBatch& batch, float lr, bool last,
                                       const std::function<void()>& meanwhile) {
  update_seconds_ = 0;
  inputs_->stage(batch);
  loss_.upload(batch);
  statistics_.upload();
  if (accumulate_ <= 1) update_.prepare(lr, state_.step + 1);
  if (!replay()) compute();
  ++state_.batches;
  // What is queued for the next batch is not waited for.
  step_done_->record(device_.compute_stream());
  if (meanwhile) meanwhile();
  step_done_->synchronize();
  const Result result = loss_.sums();
  if (accumulate_ > 1) {
    update_.accumulate(result.weight);
    if (++waiting_ < accumulate_ && !last) return result;
    waiting_ = 0;
    if (!update_.finish_accumulation()) return result;
    update_.prepare(lr, state_.step + 1);
    timed([&] { update_.apply(); });
    if (state_.loss_scale) device_.synchronize();
  }
  const bool applied = update_.applied();
  if (applied) ++state_.step;
  if (state_.loss_scale) state_.loss_scale->observe(applied);
  return result;
}

}  // namespace graft
