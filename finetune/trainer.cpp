#include "finetune/trainer.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>

#include "finetune/feature_cache.h"
#include "finetune/feed.h"
#include "finetune/training_state.h"
#include "runtime/base/error.h"
#include "runtime/base/random.h"

namespace graft {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string mebibytes(size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

class Trainer {
 public:
  Trainer(Graph& graph, const std::vector<std::string>& head, const SampleSource& training, const SampleSource& validation, int classes, const TrainOptions& options,
          const TrainListener& listener, const Backend& backend)
      : graph_(graph), training_(training), validation_(validation), classes_(classes), options_(options), listener_(listener), backend_(backend),
        loss_(make_loss(options.loss, options.loss_options)), optimizer_(make_optimizer(options.optimizer, options.optimizer_options)),
        schedule_(make_schedule(options.schedule, {static_cast<double>(options.epochs), options.step_every, 0.1})), head_(head.begin(), head.end()) {}

  TrainResult run() {
    const auto start = Clock::now();
    dims_ = {options_.batch, options_.height, options_.width};
    retype(graph_, dims_, backend_);
    split_.emplace(split_frozen(graph_));
    prepare_feeds();
    prepare_state();
    if (options_.resume) from_checkpoint(read_checkpoint(options_.checkpoint), options_.fingerprint, state_);
    plan_->plan.refresh();
    while (state_.epoch < options_.epochs) run_epoch();
    state_.restore_best();
    result_.history = state_.history;
    result_.best_epoch = state_.best_epoch;
    result_.best_val_top1 = std::max(0.0, state_.best_val_top1);
    result_.training_arena_bytes = plan_->plan.arena_bytes();
    result_.seconds = seconds_since(start);
    return std::move(result_);
  }

 private:
  bool rest_reads_picture() const {
    const auto& inputs = split_->rest.inputs;
    return std::find(inputs.begin(), inputs.end(), graph_.inputs[0]) != inputs.end();
  }

  bool caches() {
    if (split_->trunk.outputs.empty() || rest_reads_picture() || options_.cache.mode == CacheOptions::Mode::off) return false;
    const auto samples = static_cast<size_t>(training_.size()) * static_cast<size_t>(options_.cache.views) + static_cast<size_t>(validation_.size());
    const size_t bytes = samples * features_per_sample(split_->trunk, dims_, backend_) * sizeof(float);
    if (options_.cache.mode == CacheOptions::Mode::on || bytes <= options_.cache.limit_bytes) return true;
    note("the frozen part's results would take " + mebibytes(bytes) + " and are not cached; --cache views:1 or a later --freeze makes them smaller");
    return false;
  }

  void fill(FeatureCache& cache, const SampleSource& source, const std::vector<uint64_t>& variants, const char* phase) {
    const int64_t total = source.size() * static_cast<int64_t>(variants.size());
    cache.fill(split_->trunk, dims_, backend_, options_.threads, source, variants, static_cast<size_t>(options_.batch), [&](int64_t done) { progress(phase, done, total); });
    for (const auto& [index, reason] : cache.failures()) skip(reason);
  }

  void prepare_feeds() {
    const auto batch = static_cast<size_t>(options_.batch);
    cached_ = caches();
    result_.features_cached = cached_;
    if (cached_) {
      std::vector<uint64_t> variants;
      for (int v = 1; v <= options_.cache.views; ++v) variants.push_back(static_cast<uint64_t>(v));
      fill(training_cache_, training_, variants, "features of the training pictures");
      fill(validation_cache_, validation_, {0}, "features of the validation pictures");
      training_samples_ = training_cache_.samples();
      validation_samples_ = validation_cache_.samples();
      training_feed_ = make_cached_feed(training_cache_, training_, batch);
      validation_feed_ = make_cached_feed(validation_cache_, validation_, batch);
    } else {
      for (int64_t i = 0; i < training_.size(); ++i) training_samples_.push_back(i);
      for (int64_t i = 0; i < validation_.size(); ++i) validation_samples_.push_back(i);
      const bool pictures = rest_reads_picture();
      training_feed_ = make_streamed_feed(split_->trunk, pictures, dims_, backend_, options_.threads, training_, batch, streamed_failures_);
      validation_feed_ = make_streamed_feed(split_->trunk, pictures, dims_, backend_, options_.threads, validation_, batch, streamed_failures_);
    }
    if (training_samples_.empty()) throw Error("none of the training pictures can be read", "check the files named above");
    if (validation_samples_.empty()) throw Error("none of the validation pictures can be read", "check the files named above");
  }

  void prepare_state() {
    plan_.emplace(compile_training(split_->rest, dims_, backend_, options_.threads));
    std::map<const Tensor*, std::string> names;
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      const Value& v = graph_.value(static_cast<ValueId>(i));
      if (v.constant) names[v.constant.get()] = v.name;
    }
    for (const auto& [tensor, output] : plan_->gradients) {
      const std::string& name = names.at(tensor.get());
      const float scale = head_.contains(name) ? 1.0f : options_.trunk_lr_scale;
      state_.parameters.push_back({name, tensor, plan_->plan.output(output).as<float>(), scale, options_.weight_decay});
    }
    state_.slots = optimizer_->make_state(state_.parameters);
    if (state_.parameters.empty()) throw Error("nothing is left to train", "choose another --freeze");
    for (const auto& s : plan_->statistics) {
      state_.statistics.emplace_back(names.at(s.mean.get()), s.mean);
      state_.statistics.emplace_back(names.at(s.variance.get()), s.variance);
    }
  }

  /// The training pictures of this epoch, shuffled, each in the variant whose turn it is.
  std::vector<SampleRef> order() const {
    std::vector<SampleRef> refs;
    const auto epoch = static_cast<uint64_t>(state_.epoch);
    for (int64_t index : training_samples_) {
      const uint64_t turn = epoch + static_cast<uint64_t>(index);
      refs.push_back({index, cached_ ? 1 + turn % static_cast<uint64_t>(options_.cache.views) : 1 + epoch});
    }
    Random random(mix(mix(options_.seed, 0x6f72646572), epoch));
    for (size_t i = refs.size(); i > 1; --i) std::swap(refs[i - 1], refs[random.below(i)]);
    return refs;
  }

  double train_epoch(double base_lr) {
    const auto refs = order();
    const auto batches = (refs.size() + static_cast<size_t>(options_.batch) - 1) / static_cast<size_t>(options_.batch);
    training_feed_->start(refs);
    Plan& plan = plan_->plan;
    const View seed = plan.input(plan_->first_seed);
    const auto scores_count = static_cast<size_t>(options_.batch) * static_cast<size_t>(classes_);
    double loss = 0, seen = 0;
    size_t done = 0;
    for (FeedBatch batch; training_feed_->next(batch); ++done) {
      for (size_t i = 0; i < batch.inputs.size(); ++i) plan.bind_input(i, batch.inputs[i]);
      const StepContext context{mix(options_.seed, 0x64726f70), static_cast<uint64_t>(state_.step)};
      plan.forward(context);
      loss += batch_loss(*loss_, {plan.output(0).as<float>(), scores_count}, {batch.labels}, options_.class_weights, {seed.as<float>(), scores_count});
      for (size_t s = 1; s < plan_->scores; ++s) auxiliary_slopes(s, batch.labels);
      for (int label : batch.labels) seen += label < 0 ? 0.0 : options_.class_weights.empty() ? 1.0 : static_cast<double>(options_.class_weights[static_cast<size_t>(label)]);
      plan.backward(context);
      update_statistics();
      const double position = state_.epoch + static_cast<double>(done) / static_cast<double>(batches);
      ++state_.step;
      optimizer_->step(static_cast<float>(base_lr * schedule_->factor(position)), state_.step, state_.parameters, state_.slots);
      plan.refresh();
      if (!cached_) progress("epoch " + std::to_string(state_.epoch + 1), static_cast<int64_t>(done + 1), static_cast<int64_t>(batches));
    }
    return seen > 0 ? loss / seen : 0;
  }

  /// What an auxiliary head adds to the slopes. The loss that is reported stays that of the scores, as in validation.
  void auxiliary_slopes(size_t output, const std::vector<int>& labels) {
    const View scores = plan_->plan.output(output), seed = plan_->plan.input(plan_->first_seed + output);
    const auto count = static_cast<size_t>(scores.shape.elements());
    batch_loss(*loss_, {scores.as<float>(), count}, {labels}, options_.class_weights, {seed.as<float>(), count});
    for (size_t i = 0; i < count; ++i) seed.as<float>()[i] *= options_.auxiliary_weight;
  }

  /// running ← momentum·running + (1 - momentum)·batch, with the unbiased variance, as PyTorch does.
  void update_statistics() {
    for (const auto& s : plan_->statistics) {
      const float keep = s.momentum, take = 1 - s.momentum;
      const float unbias = s.count > 1 ? static_cast<float>(s.count) / static_cast<float>(s.count - 1) : 1.0f;
      const auto* mean = plan_->plan.output(s.mean_output).as<float>();
      const auto* variance = plan_->plan.output(s.variance_output).as<float>();
      auto running_mean = s.mean->data<float>(), running_variance = s.variance->data<float>();
      for (size_t c = 0; c < running_mean.size(); ++c) {
        running_mean[c] = keep * running_mean[c] + take * mean[c];
        running_variance[c] = keep * running_variance[c] + take * unbias * variance[c];
      }
    }
  }

  Metrics validate() {
    if (!evaluation_) {
      Graph graph = split_->rest;
      graph.outputs.resize(1);
      evaluation_.emplace(compile_inference(graph, dims_, backend_, options_.threads));
    }
    evaluation_->refresh();
    std::vector<SampleRef> refs;
    for (int64_t index : validation_samples_) refs.push_back({index, 0});
    validation_feed_->start(refs);
    Metrics metrics(classes_);
    const auto scores_count = static_cast<size_t>(options_.batch) * static_cast<size_t>(classes_);
    for (FeedBatch batch; validation_feed_->next(batch);) {
      for (size_t i = 0; i < batch.inputs.size(); ++i) evaluation_->bind_input(i, batch.inputs[i]);
      evaluation_->forward();
      metrics.add({evaluation_->output(0).as<float>(), scores_count}, batch.labels);
    }
    return metrics;
  }

  void run_epoch() {
    const auto start = Clock::now();
    const double base_lr = static_cast<double>(options_.lr > 0 ? options_.lr : optimizer_->default_lr());
    EpochReport report;
    report.lr = base_lr * schedule_->factor(state_.epoch);
    report.train_loss = train_epoch(base_lr);
    const Metrics metrics = validate();
    report.epoch = ++state_.epoch;
    report.val_loss = metrics.loss();
    report.val_top1 = metrics.top1();
    report.val_top5 = metrics.top5();
    report.seconds = seconds_since(start);
    // Small validation sets tie often; among equals the lower loss is the better model.
    if (report.val_top1 > state_.best_val_top1 || (report.val_top1 == state_.best_val_top1 && report.val_loss < state_.best_val_loss)) {
      state_.best_val_top1 = report.val_top1;
      state_.best_val_loss = report.val_loss;
      state_.best_epoch = report.epoch;
      state_.keep_as_best();
    }
    state_.history.push_back(report);
    if (!options_.checkpoint.empty()) write_checkpoint(options_.checkpoint, to_checkpoint(state_, options_.fingerprint));
    for (const std::string& reason : streamed_failures_) skip(reason);
    streamed_failures_.clear();
    if (listener_.epoch) listener_.epoch(report);
  }

  void skip(const std::string& reason) {
    if (!skipped_.insert(reason).second) return;
    result_.skipped.push_back(reason);
    note("skipped " + reason);
  }
  void note(const std::string& text) const {
    if (listener_.note) listener_.note(text);
  }
  void progress(const std::string& phase, int64_t done, int64_t total) const {
    if (listener_.progress) listener_.progress(phase, done, total);
  }

  Graph& graph_;
  const SampleSource &training_, &validation_;
  int classes_;
  const TrainOptions& options_;
  const TrainListener& listener_;
  const Backend& backend_;
  LossPtr loss_;
  OptimizerPtr optimizer_;
  SchedulePtr schedule_;
  std::set<std::string> head_;

  OpenDims dims_;
  std::optional<FrozenSplit> split_;
  bool cached_ = false;
  FeatureCache training_cache_, validation_cache_;
  std::vector<int64_t> training_samples_, validation_samples_;
  std::unique_ptr<Feed> training_feed_, validation_feed_;
  std::vector<std::string> streamed_failures_;
  std::set<std::string> skipped_;
  std::optional<TrainingPlan> plan_;
  std::optional<Plan> evaluation_;
  TrainingState state_;
  TrainResult result_;
};

}  // namespace

TrainResult train(Graph& graph, const std::vector<std::string>& head, const SampleSource& training, const SampleSource& validation, int classes, const TrainOptions& options,
                  const TrainListener& listener, const Backend& backend) {
  if (options.batch < 1 || options.epochs < 0 || options.cache.views < 1) throw Error("batch and views must be at least 1, epochs at least 0");
  if (!options.class_weights.empty() && options.class_weights.size() != static_cast<size_t>(classes)) {
    throw Error("there are " + std::to_string(options.class_weights.size()) + " class weights for " + std::to_string(classes) + " classes");
  }
  return Trainer(graph, head, training, validation, classes, options, listener, backend).run();
}

}  // namespace graft
