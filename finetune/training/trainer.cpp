#include "finetune/training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "finetune/losses/not_finite.h"
#include "finetune/metrics/target_metrics.h"
#include "finetune/training/divergence.h"
#include "finetune/training/parameters.h"
#include "finetune/training/run_rows.h"
#include "finetune/training/teacher.h"
#include "finetune/training/training_state.h"
#include "finetune/training/training_step.h"
#include "runtime/core/error.h"
#include "runtime/passes/resolve_control_flow.h"

namespace graft {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Trainer {
 public:
  Trainer(Graph& graph, const std::vector<std::string>& head, const SampleSource& training,
          const SampleSource& validation, int classes, const TrainOptions& options, const TrainListener& listener,
          const Backend& backend, const RunFeatures* features)
      : graph_(graph),
        classes_(classes),
        options_(options),
        listener_(listener),
        backend_(backend),
        pictures_given_(features == nullptr),
        rows_(training, validation, options, backend, features, listener,
              [this](const std::string& why) { skip(why); }),
        loss_(make_loss(options.loss)),
        optimizer_(make_optimizer(options.optimizer)),
        schedule_(make_schedule(options.schedule, options.length.epochs, options.warm_up)),
        head_(head.begin(), head.end()) {}

  TrainResult run() {
    const auto start = Clock::now();
    dims_ = {options_.batch, options_.height, options_.width};
    retype(graph_, dims_, backend_);
    const Shape& picture = graph_.value(graph_.inputs[0]).shape;
    if (pictures_given_ && picture.rank() == 4 && (picture[2] != options_.height || picture[3] != options_.width)) {
      throw Error("the network takes pictures of " + std::to_string(picture[3]) + "×" + std::to_string(picture[2]) +
                      ", not " + std::to_string(options_.width) + "×" + std::to_string(options_.height),
                  "crop to that size");
    }
    if (options_.mixing.any()) mixing_.emplace(options_.mixing, static_cast<size_t>(classes_), options_.seed);
    if (options_.checkpoint.resume) {
      const Checkpoint checkpoint = read_checkpoint(options_.checkpoint.path);
      enter_stage(stage_of(std::max(0, epochs_done(checkpoint) - 1)));
      from_checkpoint(checkpoint, options_.checkpoint.fingerprint, state_);
      for (EpochReport& e : state_.history) {
        e.epochs = options_.length.epochs;
        schedule_->observe(e.val_loss);
      }
    } else {
      enter_stage(0);
    }
    plan_->plan.refresh();
    if (optimizer_->minimises())
      minimise();
    else
      while (state_.epoch < options_.length.epochs && !out_of_patience() && !ended_) {
        if (stage_of(state_.epoch) != stage_) enter_stage(stage_of(state_.epoch));
        run_epoch();
      }
    result_.stopped_early = state_.epoch < options_.length.epochs;
    state_.restore_best();
    result_.history = state_.history;
    result_.best_epoch = state_.best_epoch;
    result_.best_val_score = state_.best_epoch > 0 ? state_.best_val_score : 0;
    if (options_.averaging.recalibrate) recalibrate();
    result_.training_arena_bytes = plan_->plan.arena_bytes();
    result_.seconds = seconds_since(start);
    return std::move(result_);
  }

 private:
  int stage_of(int epoch) const { return options_.unfreezing.every > 0 ? epoch / options_.unfreezing.every : 0; }

  /// Applies the stage's freeze policy and remakes what follows from it; the optimizer begins anew. Each stage of
  /// gradual unfreezing enters once, other runs do it at their beginning.
  void enter_stage(int stage) {
    stage_ = stage;
    if (options_.unfreezing.every > 0) {
      const std::string policy =
          stage == 0 ? "all" : "last:" + std::to_string(int64_t{stage} * options_.unfreezing.layers);
      const int64_t trained =
          apply_freeze(graph_, {policy, options_.unfreezing.batch_norm}, {head_.begin(), head_.end()})
              .trainable_parameters;
      if (trained == trained_) return;  // the bottom was reached before
      trained_ = trained;
      note("from epoch " + std::to_string(stage * options_.unfreezing.every + 1) + " on " + std::to_string(trained) +
           " parameters are trained");
    }
    step_.reset();
    evaluation_.reset();
    split_.emplace(split_frozen(resolve_control_flow(graph_, dims_, backend_)));
    if (options_.supervision.teacher) append_network(split_->trunk, *options_.supervision.teacher);
    rows_.prepare(*split_, graph_.inputs[0], dims_, mixing());
    result_.features_cached = rows_.cached();
    prepare_state();
  }

  void prepare_state() {
    const auto batches = (static_cast<int64_t>(rows_.training_samples().size()) + options_.batch - 1) / options_.batch;
    const int64_t accumulate = optimizer_->minimises()          ? std::numeric_limits<int64_t>::max()
                               : optimizer_->wants_full_batch() ? batches
                                                                : options_.gradient.accumulate;
    const auto gradients = releases_gradients_early(backend_, *optimizer_, options_, accumulate)
                               ? GradientLifetime::released_early
                               : GradientLifetime::kept;
    plan_.emplace(compile_training(split_->rest, dims_, backend_, options_.threads, options_.memory, gradients));
    const float decay = options_.regularisation.weight_decay < 0 ? optimizer_->default_weight_decay()
                                                                 : options_.regularisation.weight_decay;
    const auto names = constant_names(graph_);
    std::vector<std::pair<std::string, std::shared_ptr<Tensor>>> statistics;
    for (const auto& s : plan_->statistics) {
      statistics.emplace_back(names.at(s.mean.get()), s.mean);
      statistics.emplace_back(names.at(s.variance.get()), s.variance);
    }
    state_.take(trained_parameters(split_->rest, *plan_, names, head_, options_, decay), std::move(statistics));
    state_.slots = optimizer_->make_state(state_.parameters);
    if (state_.parameters.empty()) throw Error("nothing is left to train", "choose another policy").about("freeze");
    if (options_.averaging.decay > 0) state_.average.emplace(options_.averaging.decay);
    if (backend_.activations() == DType::f16 && !state_.loss_scale) state_.loss_scale.emplace();
    if (accumulate > 1 && options_.gradient.sharpness > 0)
      throw Error("sharpness-aware steps and accumulated batches do not go together", "use one of them").about("sam");
    step_.emplace(*plan_, state_, *loss_, *optimizer_, options_, classes_, accumulate);
  }

  /// Takes the teacher's scores out of the inputs: they follow the trunk's own results.
  void take_teacher(FeedBatch& batch) const {
    if (!options_.supervision.teacher) return;
    const auto at = batch.inputs.begin() + static_cast<int64_t>(split_->trunk.outputs.size() - 1);
    batch.teacher = *at;
    batch.inputs.erase(at);
  }

  double train_epoch(double base_lr) {
    const auto refs = rows_.training_order(static_cast<uint64_t>(state_.epoch));
    const auto batches = (refs.size() + static_cast<size_t>(options_.batch) - 1) / static_cast<size_t>(options_.batch);
    rows_.training_feed().start(refs, static_cast<uint64_t>(state_.batches));
    double loss = 0, weight = 0;
    size_t done = 0;
    FeedBatch batch, coming;
    const auto fetch = [&](FeedBatch& to) {
      if (!rows_.training_feed().next(to)) return false;
      take_teacher(to);
      return true;
    };
    for (bool more = fetch(batch); more; std::swap(batch, coming), ++done) {
      const double position = state_.epoch + static_cast<double>(done) / static_cast<double>(batches);
      const double rate = base_lr * schedule_->factor(position);
      TrainingStep::Result result{};
      try {
        result = step_->run(batch, static_cast<float>(rate), done + 1 == batches, [&] {
          more = fetch(coming);
          if (more) step_->prefetch(coming);
        });
      } catch (const ScoresNotFinite&) {
        diverge("batch " + std::to_string(done + 1), batch.inputs);
        return 0;
      }
      loss += result.loss;
      weight += result.weight;
      if (listener_.batch && result.weight > 0 && !listener_.batch(rate, result.loss / result.weight)) {
        ended_ = true;
        break;
      }
      if (!rows_.cached())
        progress("epoch " + std::to_string(state_.epoch + 1), static_cast<int64_t>(done + 1),
                 static_cast<int64_t>(batches));
    }
    step_->synchronize();
    if (!first_broken_weights(state_.parameters).empty()) diverge("batch " + std::to_string(done), {});  // by its step
    return weight > 0 ? loss / weight : 0;
  }

  /// Scores or weights are no numbers any more: nothing that follows would be. `where`: in the epoch. `inputs`: of the
  /// batch that shows it, or none.
  void diverge(const std::string& where, std::span<const float* const> inputs) {
    step_->synchronize();
    const std::string weights = first_broken_weights(state_.parameters);
    const std::string layer =
        inputs.empty() ? "" : first_layer_not_finite(split_->rest, dims_, backend_, options_.threads, inputs);
    result_.diverged =
        "the scores are no finite numbers any more in epoch " + std::to_string(state_.epoch + 1) + ", " + where;
    if (!layer.empty()) result_.diverged += ", from layer " + layer + " on";
    result_.diverged += weights.empty()
                            ? ", though all weights are numbers"
                            : ", and so are the weights \"" + weights + "\"" + reader_of(split_->rest, weights);
    if (state_.best_epoch == 0)
      throw Error("the training diverged: " + result_.diverged, "use a lower " + mention("lr"));
    note("the training diverged: " + result_.diverged + "; the weights of epoch " + std::to_string(state_.best_epoch) +
         " are kept; a lower " + mention("lr") + " would go on");
    ended_ = true;
  }

  struct Validation {
    double loss = 0, score = 0, second = 0;
  };

  Validation validate() {
    if (!evaluation_) {
      Graph graph = split_->rest;
      graph.outputs.resize(1);
      evaluation_.emplace(compile_inference(graph, dims_, backend_, options_.threads));
    }
    evaluation_->refresh();
    rows_.validation_feed().start(rows_.validation_order());
    Metrics metrics(classes_);
    TargetMetrics target_metrics(static_cast<size_t>(classes_));
    std::vector<float> slopes(static_cast<size_t>(options_.batch) * static_cast<size_t>(classes_));
    double loss = 0;
    const auto scores_count = static_cast<size_t>(options_.batch) * static_cast<size_t>(classes_);
    for (FeedBatch batch; rows_.validation_feed().next(batch);) {
      take_teacher(batch);
      validated_ = batch.inputs;
      for (size_t i = 0; i < batch.inputs.size(); ++i) evaluation_->bind_input(i, batch.inputs[i]);
      evaluation_->forward();
      const std::span<const float> scores(evaluation_->output(0).as<float>(), scores_count);
      if (options_.task == Task::classes) {
        metrics.add(scores, batch.labels);
        continue;
      }
      target_metrics.add(scores, batch.labels, batch.rows);
      loss += batch_loss(*loss_, scores, {batch.labels, batch.rows, {batch.teacher, batch.teacher ? scores_count : 0}},
                         {}, slopes);
    }
    if (options_.task == Task::classes) return {metrics.loss(), metrics.top1(), metrics.top5()};
    loss /= static_cast<double>(std::max<int64_t>(1, target_metrics.count()));
    if (options_.task == Task::multi_label)
      return {loss, target_metrics.mean_average_precision(), target_metrics.exact_match()};
    return {loss, target_metrics.r2(), target_metrics.mean_absolute_error()};
  }

  /// All cached views of all samples, the same ones each time: what a descent minimises must not change under it.
  class WholeSet final : public Objective {
   public:
    explicit WholeSet(Trainer& trainer) : trainer_(trainer), refs_(trainer.rows_.all_views()) {}
    double evaluate() override {
      Trainer& t = trainer_;
      t.plan_->plan.refresh();
      t.rows_.training_feed().start(refs_);
      double loss = 0, weight = 0;
      for (FeedBatch batch; t.rows_.training_feed().next(batch);) {
        t.take_teacher(batch);
        const auto result = t.step_->measure(batch);
        loss += result.loss;
        weight += result.weight;
      }
      t.step_->finish_accumulation();
      return loss_ = loss / weight;
    }
    bool iteration(double) override {
      EpochReport report;
      report.lr = 1;
      report.train_loss = loss_;
      trainer_.close_epoch(report, start_);
      start_ = Clock::now();
      const TrainListener& listener = trainer_.listener_;
      if (listener.batch && !listener.batch(1, loss_)) trainer_.ended_ = true;
      return !trainer_.out_of_patience() && !trainer_.ended_;
    }

   private:
    Trainer& trainer_;
    std::vector<SampleRef> refs_;
    Clock::time_point start_ = Clock::now();
    double loss_ = 0;
  };

  void minimise() {
    if (!rows_.cached())
      throw Error(options_.optimizer.name + " goes over all pictures many times and needs their features cached",
                  "freeze all, or use another optimizer")
          .about("optimizer");
    if (options_.checkpoint.resume || options_.gradient.sharpness > 0 || options_.mixing.any() ||
        options_.sampling.balanced) {
      throw Error(options_.optimizer.name + " minimises one fixed loss from the beginning",
                  "leave " + mention("resume") + ", " + mention("sam") + ", " + mention("mixup") + ", " +
                      mention("cutmix") + " and " + mention("balanced") + " out")
          .about("optimizer");
    }
    WholeSet objective(*this);
    optimizer_->minimise(state_.parameters, objective, options_.length.epochs);
  }

  void run_epoch() {
    const auto start = Clock::now();
    const double base_lr = static_cast<double>(options_.rate.lr > 0 ? options_.rate.lr : optimizer_->default_lr());
    EpochReport report;
    report.lr = base_lr * schedule_->factor(state_.epoch);
    report.train_loss = train_epoch(base_lr);
    if (result_.diverged.empty()) close_epoch(report, start);
  }

  /// Validates, keeps the best, writes the checkpoint, and tells.
  void close_epoch(EpochReport report, Clock::time_point start) {
    if (state_.average)
      state_.average->swap(state_.parameters);  // validated, and kept when best, in the weights' place
    Validation validation;
    try {
      validation = validate();
    } catch (const ScoresNotFinite&) {
      validation.loss = std::numeric_limits<double>::quiet_NaN();
    }
    if (!std::isfinite(validation.loss)) {
      if (state_.average) state_.average->swap(state_.parameters);
      return diverge("validation", validated_);
    }
    report.epoch = ++state_.epoch;
    report.epochs = options_.length.epochs;
    report.val_loss = validation.loss;
    report.val_score = validation.score;
    report.val_second = validation.second;
    report.seconds = seconds_since(start);
    // Small validation sets tie often; among equals the lower loss is the better model.
    if (options_.keep_last || report.val_score > state_.best_val_score ||
        (report.val_score == state_.best_val_score && report.val_loss < state_.best_val_loss)) {
      state_.best_val_score = report.val_score;
      state_.best_val_loss = report.val_loss;
      state_.best_epoch = report.epoch;
      state_.keep_as_best();
      if (listener_.best) listener_.best(report);
    }
    if (state_.average) state_.average->swap(state_.parameters);
    schedule_->observe(report.val_loss);
    state_.history.push_back(report);
    // A resumed run does an epoch that was broken off again, whole.
    if (!options_.checkpoint.path.empty() && !ended_ && !optimizer_->minimises())
      write_checkpoint(options_.checkpoint.path, to_checkpoint(state_, options_.checkpoint.fingerprint));
    rows_.tell_streamed_failures();
    if (listener_.epoch) listener_.epoch(report);
  }

  /// Running statistics trail behind the weights by some hundred batches, and an average of weights never had any of
  /// its own: one pass over the training pictures measures them for the weights that are kept. [Wu & Johnson 2021,
  /// "precise BN"]
  void recalibrate() {
    if (plan_->statistics.empty())
      throw Error("there is no trained batch norm whose statistics could be measured",
                  "leave it out, or train them (" + mention("batch-norm") + " train)")
          .about("recalibrate");
    plan_->plan.refresh();
    rows_.training_feed().start(rows_.training_order(static_cast<uint64_t>(state_.epoch)),
                                static_cast<uint64_t>(state_.batches));
    std::vector<std::pair<std::vector<double>, std::vector<double>>> sums(plan_->statistics.size());
    double batches = 0;
    for (FeedBatch batch; rows_.training_feed().next(batch); ++batches) {
      take_teacher(batch);
      step_->forward_statistics(batch, sums);
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      const auto& s = plan_->statistics[i];
      for (size_t c = 0; c < sums[i].first.size(); ++c) {
        s.mean->data<float>()[c] = static_cast<float>(sums[i].first[c] / batches);
        s.variance->data<float>()[c] = static_cast<float>(sums[i].second[c] / batches);
      }
    }
    const Validation validation = validate();
    result_.best_val_score = validation.score;  // of the network as it is now
    note("batch norms measured anew: " + std::string(score_names(options_.task).first) + " " +
         std::to_string(validation.score) + ", loss " + std::to_string(validation.loss));
  }

  bool out_of_patience() const {
    return options_.length.patience > 0 && state_.epoch - state_.best_epoch >= options_.length.patience;
  }
  const BatchMixing* mixing() const { return mixing_ ? &*mixing_ : nullptr; }

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
  int classes_;
  const TrainOptions& options_;
  const TrainListener& listener_;
  const Backend& backend_;
  bool pictures_given_;  // or the rows of the frozen part
  RunRows rows_;
  LossPtr loss_;
  OptimizerPtr optimizer_;
  SchedulePtr schedule_;
  std::set<std::string> head_;

  OpenDims dims_;
  std::vector<const float*> validated_;  // inputs of the batch that was validated last
  std::optional<FrozenSplit> split_;
  bool ended_ = false;
  int stage_ = 0;
  int64_t trained_ = -1;  // parameters, in this stage
  std::set<std::string> skipped_;
  std::optional<BatchMixing> mixing_;
  std::optional<TrainingPlan> plan_;
  std::optional<TrainingStep> step_;
  std::optional<Plan> evaluation_;
  TrainingState state_;
  TrainResult result_;
};

}  // namespace

void require_finite(const TrainResult& result) {
  if (!result.diverged.empty())
    throw Error("the training diverged: " + result.diverged, "use a lower " + mention("lr"));
}

void TrainListener::pass(const std::string& phase, int64_t done, int64_t total) const {
  if (progress) progress(phase, done, total);
  if (done < total && stopped && stopped())
    throw Error("stopped before there was a model (" + phase + ": " + std::to_string(done) + " of " +
                    std::to_string(total) + ")",
                {}, ErrorCode::cancelled);
}

TrainResult train(Graph& graph, const std::vector<std::string>& head, const SampleSource& training,
                  const SampleSource& validation, int classes, const TrainOptions& options,
                  const TrainListener& listener, const Backend& backend, const RunFeatures* features) {
  if (options.batch < 1 || options.length.epochs < 0 || options.cache.views < 1)
    throw Error("batch and views must be at least 1, epochs at least 0");
  if (!options.supervision.class_weights.empty() &&
      options.supervision.class_weights.size() != static_cast<size_t>(classes)) {
    throw Error("there are " + std::to_string(options.supervision.class_weights.size()) + " class weights for " +
                std::to_string(classes) + " classes");
  }
  if (options.unfreezing.every > 0 && make_optimizer(options.optimizer)->minimises())
    throw Error("what is trained changes by and by, and " + options.optimizer.name + " minimises one fixed loss",
                "use another " + mention("optimizer"))
        .about("unfreeze");
  if (options.gradient.accumulate < 1) throw Error("must be at least 1").about("accumulate");
  const LossPtr loss = make_loss(options.loss);
  if (options.mixing.any() && !loss->takes_rows())
    throw Error(options.loss.name + " knows one class a picture, mixing makes two of them",
                "use cross-entropy, bce or focal")
        .about("loss");
  if (loss->needs_teacher() != (options.supervision.teacher != nullptr))
    throw Error(options.supervision.teacher ? "a teacher is given, but " + options.loss.name + " does not listen to one"
                                            : "distillation needs a teacher",
                options.supervision.teacher ? "use distillation" : "give " + mention("teacher") + " MODEL.onnx")
        .about("loss");
  if (options.task != Task::classes && !loss->is_element_wise())
    throw Error(options.loss.name + " is for one class a picture",
                options.task == Task::regression ? "use mse, mae, smooth-l1 or huber" : "use bce or binary-hinge")
        .about("loss");
  if (options.task != Task::classes && options.sampling.balanced)
    throw Error("draws classes, and these pictures have none").about("balanced");
  return Trainer(graph, head, training, validation, classes, options, listener, backend, features).run();
}

}  // namespace graft
