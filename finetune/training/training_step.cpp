#include "finetune/training/training_step.h"

#include <algorithm>
#include <chrono>

#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {

TrainingStep::TrainingStep(TrainingPlan& plan, TrainingState& state, const Loss& loss, Optimizer& optimizer,
                           const TrainOptions& options, int64_t outputs, int64_t accumulate)
    : plan_(plan),
      state_(state),
      loss_(loss),
      options_(options),
      scores_(static_cast<size_t>(options.batch * outputs)),
      accumulate_(accumulate),
      update_(make_weight_update(plan, state, optimizer, options, accumulate)) {
  for (size_t o = 0; o < plan_.scores; ++o) {
    const Shape shape = plan_.plan.output(o).shape;
    if (shape.empty() || shape[0] != options.batch || shape.elements() != options.batch * outputs)
      throw Error("the network's scores are " + shape.str() + " for a batch of " + std::to_string(options.batch) +
                      ": it has no row of " + std::to_string(outputs) + " for each picture",
                  "a network that is fixed to one picture trains its head alone (all else frozen)");
  }
  if (!optimizer.minimises()) device_loss_ = DeviceLoss::make(plan_, options_, outputs);
  device_statistics_ = DeviceStatistics::make(plan_);
  if (const Device* const device = plan_.plan.backend().device()) step_done_ = device->make_event();
  if (plan_.plan.graph().early_releases.empty()) return;
  parameter_of_.resize(plan_.plan.output_count());
  for (const auto& [tensor, output] : plan_.gradients) {
    const auto is_it = [&, wanted = tensor](const Parameter& p) { return p.tensor == wanted; };
    parameter_of_[output] = static_cast<size_t>(
        std::find_if(state_.parameters.begin(), state_.parameters.end(), is_it) - state_.parameters.begin());
  }
}

void TrainingStep::prefetch(const FeedBatch& next) {
  if (!plan_.plan.backend().device()) return;
  const bool pictures = next.pictures.pixels != nullptr;
  if (!inputs_) {  // all batches of a run have the first one's form
    inputs_ = std::make_unique<InputPrefetcher>(plan_.plan, next.inputs.size());
    if (pictures) pictures_ = PicturePrefetcher::make(plan_.plan, next.inputs.size());
  }
  inputs_->prefetch(next.inputs, next.device_inputs);
  if (pictures) pictures_->prefetch(next.pictures);
}

void TrainingStep::bring(const FeedBatch& batch) {
  if (!plan_.plan.backend().device()) {
    for (size_t i = 0; i < batch.inputs.size(); ++i) plan_.plan.bind_input(i, batch.inputs[i]);
    return;
  }
  if (!inputs_ || !inputs_->pending()) prefetch(batch);
  inputs_->stage();
  if (pictures_) pictures_->stage();
}

void TrainingStep::synchronize() {
  update_->synchronize();
  if (device_statistics_) device_statistics_->synchronize();
  if (inputs_) inputs_->discard();
  if (pictures_) pictures_->discard();
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
    plan_.plan.backward(context(), [this](size_t output) { timed([&] { update_->apply_to(parameter_of_[output]); }); });
}

TrainingStep::Result TrainingStep::forward(const FeedBatch& batch, bool keep) {
  Plan& plan = plan_.plan;
  forward_pass();
  if (device_loss_) {
    device_loss_->compute(options_.supervision.auxiliary_weight, scale(), keep);
    return {};
  }
  const Targets targets{batch.labels, batch.rows, {batch.teacher, batch.teacher ? scores_ : 0}};
  const auto seed = [&](size_t output) {
    return std::span(plan.input(plan_.first_seed + output).as<float>(), scores_);
  };
  Result result;
  result.loss =
      batch_loss(loss_, {plan.output(0).as<float>(), scores_}, targets, options_.supervision.class_weights, seed(0));
  // Auxiliary heads add to the slopes. The loss that is reported stays that of the scores, as in validation.
  for (size_t s = 1; s < plan_.scores; ++s)
    batch_loss(loss_, {plan.output(s).as<float>(), scores_}, targets, options_.supervision.class_weights, seed(s));
  for (size_t s = 0; s < plan_.scores; ++s) {
    const float factor = scale() * (s == 0 ? 1.0f : options_.supervision.auxiliary_weight);
    if (factor != 1)
      for (float& v : seed(s)) v *= factor;
  }
  const size_t width = scores_ / batch.labels.size();
  for (size_t i = 0; i < batch.labels.size(); ++i) {
    if (batch.labels[i] < 0) continue;
    const auto row = batch.rows.empty() ? std::span<const float>() : std::span(batch.rows).subspan(i * width, width);
    result.weight += row_weight({batch.labels[i], row}, options_.supervision.class_weights);
  }
  return result;
}

/// running ← momentum·running + (1 - momentum)·batch, with the unbiased variance, as PyTorch does.
void TrainingStep::update_statistics() {
  if (device_statistics_) return device_statistics_->update();
  for (const auto& s : plan_.statistics) {
    const float keep = s.momentum, take = 1 - s.momentum;
    const float unbias = s.count > 1 ? static_cast<float>(s.count) / static_cast<float>(s.count - 1) : 1.0f;
    const auto* mean = plan_.plan.output(s.mean_output).as<float>();
    const auto* variance = plan_.plan.output(s.variance_output).as<float>();
    auto running_mean = s.mean->data<float>(), running_variance = s.variance->data<float>();
    for (size_t c = 0; c < running_mean.size(); ++c) {
      running_mean[c] = keep * running_mean[c] + take * mean[c];
      running_variance[c] = keep * running_variance[c] + take * unbias * variance[c];
    }
  }
}

void TrainingStep::forward_statistics(const FeedBatch& batch,
                                      std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums) {
  bring(batch);
  plan_.plan.forward(context());
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto& s = plan_.statistics[i];
    const auto channels = s.mean->data<float>().size();
    std::vector<float> fetched[2];
    if (device_statistics_) device_statistics_->fetch(i, fetched[0], fetched[1]);
    const float* const mean = device_statistics_ ? fetched[0].data() : plan_.plan.output(s.mean_output).as<float>();
    const float* const variance =
        device_statistics_ ? fetched[1].data() : plan_.plan.output(s.variance_output).as<float>();
    const double unbias = s.count > 1 ? static_cast<double>(s.count) / static_cast<double>(s.count - 1) : 1.0;
    sums[i].first.resize(channels);
    sums[i].second.resize(channels);
    for (size_t c = 0; c < channels; ++c) {
      sums[i].first[c] += static_cast<double>(mean[c]);
      sums[i].second[c] += unbias * static_cast<double>(variance[c]);
    }
  }
}

TrainingStep::Result TrainingStep::measure(const FeedBatch& batch) {
  bring(batch);
  const Result result = forward(batch, true);
  backward_pass();
  update_->accumulate(result.weight);
  return result;
}

TrainingStep::Result TrainingStep::compute(const FeedBatch& batch) {
  const Result result = forward(batch, true);
  backward_pass();
  update_statistics();
  if (options_.gradient.sharpness > 0) {
    update_->perturb();
    forward(batch, false);
    backward_pass();
    update_->restore();
  }
  if (accumulate_ <= 1) timed([&] { update_->apply(); });
  return result;
}

bool TrainingStep::replay() {
  const bool first = !warm_;
  warm_ = true;
  if (first || !device_loss_ || !plan_.plan.can_be_captured()) return false;
  const Backend& backend = plan_.plan.backend();
  backend.begin(context());
  if (!captured_ || captured_scale_ != scale()) {
    captured_ = backend.capture([this] {
      capturing_ = true;
      compute({});  // the batch is there already
      capturing_ = false;
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
  bring(batch);
  if (device_loss_) device_loss_->upload(batch);
  if (accumulate_ <= 1) update_->prepare(lr, state_.step + 1);
  if (device_statistics_) device_statistics_->upload();
  Result result;
  if (!replay()) result = compute(batch);
  ++state_.batches;
  // What is queued for the next batch is not waited for.
  const Device* const device = plan_.plan.backend().device();
  const auto await_loss = [&] {
    if (device) step_done_->record(device->compute_stream());
    if (meanwhile) meanwhile();
    if (device) step_done_->synchronize();
    if (!device_loss_) return;
    const DeviceLoss::Sums sums = device_loss_->sums();
    result = {sums.loss, sums.weight};
  };
  if (accumulate_ > 1) {
    await_loss();
    update_->accumulate(result.weight);
    if (++waiting_ < accumulate_ && !last) return result;
    waiting_ = 0;
    if (!update_->gather()) return result;
    update_->prepare(lr, state_.step + 1);
    timed([&] { update_->apply(); });
    if (device && state_.loss_scale) device->synchronize();
  } else {
    await_loss();
  }
  const bool applied = update_->applied();
  if (applied) ++state_.step;
  if (state_.loss_scale) state_.loss_scale->observe(applied);
  return result;
}

}  // namespace graft
