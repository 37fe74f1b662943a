#include "graft/finetune.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "apps/library/confidence_fit.h"
#include "apps/library/device.h"
#include "apps/library/feature_folder.h"
#include "apps/library/network.h"
#include "apps/library/pipelines.h"
#include "apps/library/recipe.h"
#include "apps/library/scores.h"
#include "apps/library/seed_repetition.h"
#include "apps/library/settings_search.h"
#include "apps/library/teacher.h"
#include "apps/library/train_settings.h"
#include "apps/library/training_data.h"
#include "augment/augmentation.h"
#include "finetune/heads/insert_norms.h"
#include "finetune/heads/simplify.h"
#include "finetune/selection/cross_validation.h"
#include "finetune/selection/depth_training.h"
#include "finetune/selection/rate_finder.h"
#include "finetune/selection/search_journal.h"
#include "finetune/training/feature_store.h"
#include "graft/version.h"
#include "importer/model.h"
#include "importer/writer.h"
#include "runtime/core/api_boundary.h"
#include "runtime/core/memory_text.h"
#include "runtime/passes/float_input.h"
#include "runtime/passes/output_rows.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// What the trainer tells, as the public listener hears it. `listener` outlives the result.
TrainListener trainers_listener(Listener& listener) {
  TrainListener inner;
  inner.progress = [&](const std::string& phase, int64_t done, int64_t total) {
    listener.progress(phase, done, total);
  };
  // A search and the run after it meet the same unreadable pictures.
  inner.note = [&listener, told = std::make_shared<std::set<std::string>>()](const std::string& text) {
    const std::string kSkipped = "skipped ";
    if (text.starts_with(kSkipped)) {
      if (told->insert(text).second) listener.skipped(text.substr(kSkipped.size()));
    } else
      listener.note(text);
  };
  inner.epoch = [&](const EpochReport& report) { listener.epoch(report); };
  inner.batch = [&](double, double) { return !listener.stop(); };
  inner.stopped = [&] { return listener.stop(); };
  return inner;
}

void check_combinations(const FinetuneSettings& s) {
  if (s.unfreeze_every > 0 && s.freeze != "all")
    throw Error("begins with everything frozen", "leave " + mention("freeze") + " out").about("unfreeze");
  if (s.resume && s.checkpoint.empty()) throw Error("there is no checkpoint to go on from").about("resume");
  if (s.search_seconds > 0 && s.budget_seconds > 0)
    throw Error("says for how long to search, as " + mention("budget") + " does", "leave one of them out")
        .about("auto");
  if (s.seeds < 1) throw Error("must be at least 1").about("seeds");
  if (s.find_rate && (s.seeds > 1 || s.folds > 0 || s.search_seconds > 0))
    throw Error("takes the place of the run, and of " + mention(s.seeds > 1   ? "seeds"
                                                                : s.folds > 0 ? "folds"
                                                                              : "auto"),
                "leave one of them out")
        .about("find-lr");
  if (s.resume && s.search_seconds > 0 && s.search_record.empty())
    throw Error("a resumed run needs the record of its search").about("auto");
}

/// Whether weights of the model below the head may change.
bool trains_trunk(const FinetuneSettings& s) {
  return s.freeze != "all" || s.unfreeze_every > 0 || s.batch_norm == BatchNormPolicy::train ||
         (s.search_seconds > 0 && s.search_freedom.freeze);
}

/// Whether anyone else holds weights of this graph.
bool is_shared(const Graph& graph) {
  for (size_t i = 0; i < graph.value_count(); ++i)
    if (graph.value(static_cast<ValueId>(i)).constant.use_count() > 1) return true;
  return false;
}

bool can_judge(const Dataset& dataset) {
  std::map<int, int> pictures;
  return std::any_of(dataset.train.begin(), dataset.train.end(),
                     [&](const LabelledFile& file) { return ++pictures[file.label] == 2; });
}

/// One run from the model to the model.
class Job {
 public:
  Job(Model model, const Dataset& dataset, const FinetuneSettings& settings, Listener& listener)
      : settings_(settings),
        dataset_(dataset),
        task_(settings.task),
        preprocessing_(settings.preprocessing ? *settings.preprocessing : preprocessing_for(model)),
        model_(std::move(model).release()),
        place_(place_of(model_)),
        listener_(listener),
        inner_(trainers_listener(listener)) {
    check_dataset(dataset, task_);
    if (takes_whole_numbers(model_.graph)) settings_.preprocessing_is_guess = false;  // bytes leave nothing to guess
    check_combinations(settings_);
    const size_t pictures = dataset.train.size() + dataset.validation.size();
    if (settings_.folds == 1 || settings_.folds < 0 || static_cast<size_t>(settings_.folds) > pictures)
      throw Error(std::to_string(settings_.folds) + " parts of " + std::to_string(pictures) + " pictures",
                  "use 2 to that many")
          .about("folds");
    check_components(settings_, task_);
    adapts_ = adapts(dataset);
    if (adapts_ && settings_.search_seconds > 0) settings_.budget_seconds = std::exchange(settings_.search_seconds, 0);
    if (settings_.seeds > 1 && settings_.search_seconds > 0)
      throw Error("does not go with a search among settings", "leave one of them out").about("seeds");
    options_ = to_train_options(settings_);
    options_.task = task_;
    options_.loss = chosen_loss(settings_, task_);
    options_.height = preprocessing_.crop_height;
    options_.width = preprocessing_.crop_width;
    backend_ = &backend_for(settings_.compute);
    in_use_ = exclusive_use(*backend_);
    options_.cache.files = feature_files(settings_.compute, *backend_);
    options_.supervision.class_weights = class_weights(settings_, dataset, task_);
    for (const std::string& reason : dataset.skipped) {
      listener_.skipped(reason);
      result_.skipped.push_back(reason);
    }
    options_.checkpoint.path = settings_.checkpoint;
    options_.checkpoint.resume = settings_.resume;
    if (settings_.resume && !adapts_ && settings_.search_seconds <= 0 &&
        !std::filesystem::exists(settings_.checkpoint)) {
      listener_.note("the run before did not come as far as a checkpoint: it is made from the beginning");
      options_.checkpoint.resume = settings_.resume = false;
    }
    options_.checkpoint.fingerprint = fingerprint(settings_, model_.graph, preprocessing_, dataset);
    prepare_graph();
    decoded_ = decoded_pictures(settings_);
    data_.emplace(dataset, preprocessing_, settings_, task_, decoded_);
    if (settings_.teacher)
      options_.supervision.teacher = teacher_graph(*settings_.teacher, dataset.classes, options_, *backend_);
  }

  bool adapts() const { return adapts_; }

  FinetuneResult run() {
    result_.task = task_;
    const int classes = static_cast<int>(data_->classes());
    std::optional<RecipeChoice> choice;
    if (adapts_) choice = adapt();
    const int plain_folds = adapts_ ? 0 : settings_.folds;
    if (settings_.search_seconds > 0 || plain_folds > 0) {
      whole_.emplace(data_->whole());
      features_.emplace(*whole_, data_->training().size(), plain_folds > 0);
    }
    if (settings_.search_seconds > 0)
      result_.search = search_settings(settings_, options_, model_.graph, *features_, classes, inner_, *backend_);
    Network network = with_place(
        [&] { return place_; },
        [&] { return make_network(model_.graph, settings_, data_->classes(), choice && choice->report.joined); });
    model_.graph = std::move(network.graph);
    head_ = network.head.parameters;
    tell(network);
    if (settings_.find_rate) {
      result_.rates =
          find_rate(model_.graph, head_, data_->training(), data_->validation(), classes, options_, inner_, *backend_);
      return std::move(result_);
    }
    if (plain_folds > 0)
      tell_folds(cross_validate(model_.graph, head_, *features_, settings_.freeze, {plain_folds, true}, classes,
                                options_, inner_, *backend_));
    if (choice && choice->report.epochs > 0)
      if (const int norms = insert_norms(model_.graph, choice->norms); norms > 0)
        listener_.note(std::to_string(norms) +
                       " batch norms stand behind convolutions while they train, and are folded into them at the end");
    std::optional<Graph> untrained;  // the model if deeper training is broken off before it is better
    if (choice && !choice->head.weight.empty()) {
      // Deeper training begins with a head of its own: a fitted one's large weights drive the layers below far off.
      if (choice->report.epochs > 0) untrained = model_.graph.independent_copy();
      set_head(untrained ? *untrained : model_.graph, head_, choice->head);
    }
    inner_.best = [this](const EpochReport& report) { tell_improved(report); };
    TrainResult trained = choice && choice->report.epochs == 0 ? fitted_head() : train_network(classes);
    inner_.best = nullptr;
    if (untrained && (trained.stopped_early || !trained.diverged.empty()) &&
        (trained.history.empty() || trained.best_val_score < head_alone_->val_score)) {
      model_.graph = std::move(*untrained);
      if (trained.history.empty()) listener_.epoch(*head_alone_);
      trained.history = {*head_alone_};
      trained.best_epoch = 1;
      trained.best_val_score = head_alone_->val_score;
      listener_.note("deeper training ended before it was better than the head alone, which is the model now");
    }
    for (const std::string& reason : trained.skipped)
      if (std::find(result_.skipped.begin(), result_.skipped.end(), reason) == result_.skipped.end())
        result_.skipped.push_back(reason);
    result_.history = std::move(trained.history);
    result_.best_epoch = trained.best_epoch;
    result_.best_score = trained.best_val_score;
    result_.stopped_early = trained.stopped_early;
    result_.diverged = trained.diverged;
    result_.features_cached = trained.features_cached;
    tell_picture_cache();
    finish(model_, result_.best_score, result_.best_epoch);
    if (listener_.stop() || !result_.diverged.empty())
      listener_.note("the model's probabilities stay as they are, and it keeps nothing to tell foreign pictures by");
    else
      find_confidence(choice && choice->report.epochs == 0 ? &*choice : nullptr);
    if (const FeatureFiles* const files = options_.cache.files.get()) {
      result_.features_from_disk = files->found();
      tell_feature_files(*files, listener_);
    }
    result_.model = Model(std::make_shared<OnnxModel>(std::move(model_)));
    if (adapts_ && repeats() && !result_.stopped_early) judge_the_choice();
    return std::move(result_);
  }

 private:
  /// Whether the recipe is chosen by the pictures. Says so where settings keep it from that.
  bool adapts(const Dataset& dataset) const {
    const std::string other = departs_from_recipe(settings_, task_);
    if (is_prototype_head(settings_)) {
      if (!other.empty() || settings_.search_seconds > 0)
        throw Error("is each class's mean, which nothing trains: it does not go with " +
                        mention(other.empty() ? "auto" : other),
                    "leave one of them out")
            .about("head");
      return true;
    }
    if (settings_.budget_seconds == 0) return false;
    if (settings_.search_seconds > 0 && !other.empty()) return false;  // looks for the rest by itself
    if (other.empty() && !can_judge(dataset)) {
      listener_.note("the plain recipe: no class has two training pictures, so that nothing could judge a choice" +
                     std::string(settings_.preprocessing_is_guess ? "; the preprocessing is a guess" : ""));
      return false;
    }
    if (other.empty()) return true;
    if (settings_.budget_seconds > 0)
      throw Error("what it would choose is set: " + mention(other), "leave one of them out").about("budget");
    listener_.note("the plain recipe, with what is set (" + mention(other) + "); nothing is chosen by the pictures");
    return false;
  }

  /// Chooses the recipe, and goes on with it.
  RecipeChoice adapt() {
    // What is repeated begins with the weights as they are now.
    chooser_.emplace(settings_, options_, preprocessing_, repeats() ? model_.graph.independent_copy() : model_.graph,
                     dataset_, decoded_, inner_, *backend_);
    RecipeChoice choice = chooser_->choose(settings_, options_, preprocessing_);
    result_.recipe = choice.report;
    result_.skipped.insert(result_.skipped.end(), choice.skipped.begin(), choice.skipped.end());
    data_.emplace(dataset_, preprocessing_, settings_, task_, decoded_);
    if (!choice.head.weight.empty()) {
      head_alone_ = chooser_->judge_head(choice);
      stopped_while_choosing_ = choice.stopped;
    }
    if (choice.report.epochs > 0 && !repeats()) chooser_.reset();  // its features take memory, and are done with
    return choice;
  }

  bool repeats() const { return settings_.folds > 0 || settings_.seeds > 1; }

  /// Folds and seeds of what adapts, once the run itself is done.
  void judge_the_choice() {
    listener_.trained(*result_.model);
    const int more = settings_.folds + settings_.seeds - 1;
    listener_.note(std::to_string(more) + (more == 1 ? " run" : " runs") + " more, each of which chooses anew for " +
                   short_number(result_.recipe.budget) + " s at most beside its training; the model is finished");
    if (settings_.folds > 0) tell_folds(chooser_->cross_validate(settings_.folds));
    if (settings_.seeds > 1) result_.seeds = chooser_->repeat(settings_.seeds - 1);
  }

  /// A run that is over with its head's fit.
  TrainResult fitted_head() {
    TrainResult result;
    result.history = {*head_alone_};
    result.best_epoch = 1;
    result.best_val_score = result.history[0].val_score;
    result.features_cached = true;
    result.stopped_early = stopped_while_choosing_;
    options_.optimizer = {"lbfgs"};
    listener_.epoch(result.history[0]);
    return result;
  }

  /// The graph for the pictures' size, with weights that are nobody else's where they may change.
  void prepare_graph() {
    Graph& graph = model_.graph;
    without_loops(model_);  // what cannot be written is refused now, not after the training
    if ((adapts_ || trains_trunk(settings_)) && is_shared(graph)) graph = graph.independent_copy();
    for (const std::string& note : model_.notes) listener_.note(note);
    if (model_.declared_batch == 1 && !model_.batch_opened && trains_trunk(settings_) && options_.batch > 1) {
      listener_.note(
          "the model is fixed to one picture at a time, and its layers are trained: batches hold one picture");
      options_.batch = 1;
    }
    take_floats(graph);
    give_outputs_rows(graph);
    retype(graph, {1, options_.height, options_.width}, *backend_);
    if (!settings_.remove_lrn_and_dropout) return;
    if (std::none_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node& n) { return n.op->type() == "BatchNormalization"; }))
      throw Error(place_ + " has no batch norm", "leave " + mention("preset") + " out")
          .about("preset", settings_.preset);
    const SimplifyResult gone = remove_lrn_and_dropout(graph);
    listener_.note("without " + std::to_string(gone.lrn) + " local response normalisations and " +
                   std::to_string(gone.dropout) + " dropouts");
  }

  void tell(const Network& network) {
    const GraftedHead& head = network.head;
    if (const auto fixed = size_fixed_by_writing(model_))
      listener_.note("a file of the result takes pictures of " + std::to_string(fixed->height) + "×" +
                     std::to_string(fixed->width) + " alone: what depends on the size is written for that one");
    result_.trainable_parameters = network.freeze.trainable_parameters;
    result_.frozen_parameters = network.freeze.frozen_parameters;
    if (network.freeze.quantised_parameters > 0 && trains_trunk(settings_))
      listener_.note(std::to_string(network.freeze.quantised_parameters) +
                     " weights are stored as 8-bit integers and stay as they are: give the model in float32 to train "
                     "them");
    if (settings_.stochastic_depth > 0)
      listener_.note(std::to_string(network.skippable_branches) + " residual branches are left out now and then");
    if (!head.other_features.empty() && settings_.features.empty()) {
      std::string names;
      for (const std::string& name : head.other_features) names += (names.empty() ? "" : ", ") + name;
      listener_.note("if that is not meant, --features names another layer: dense layers read " + names);
    }
    std::string replaced;
    for (const std::string& node : head.replaced) replaced += (replaced.empty() ? "\"" : " and \"") + node + "\"";
    listener_.note(head.replaced.empty()
                       ? "the model ends in features: new head on " + std::to_string(head.features) + " of them"
                       : "new head on " + std::to_string(head.features) + " features in place of " + replaced);
    const size_t auxiliary = model_.graph.outputs.size() - 1;
    if (!adapts_ && !crops(make_transforms(read_augmentation(settings_.augment), {})))
      listener_.note("the augmentation has nothing that always crops: pictures are cut as evaluation cuts them first");
    listener_.note(std::to_string(data_->training().size()) + " training and " +
                   std::to_string(data_->validation().size()) + " validation pictures of " +
                   std::to_string(data_->classes()) + (task_ == Task::regression ? " values; " : " classes; ") +
                   (auxiliary > 0 ? std::to_string(auxiliary) + " auxiliary heads; " : "") +
                   std::to_string(result_.trainable_parameters) + " parameters trained, " +
                   std::to_string(result_.frozen_parameters) + " frozen");
  }

  /// On features that a search or folds computed, where there are any.
  TrainResult train_network(int classes) {
    const FeatureRows* const known = features_ ? features_->find(settings_.freeze) : nullptr;
    try {
      if (!known)
        return train(model_.graph, head_, data_->training(), data_->validation(), classes, options_, inner_, *backend_);
      const RunFeatures features = features_->for_run(*known);
      return train(model_.graph, head_, *whole_, *whole_, classes, options_, inner_, *backend_, &features);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled || !head_alone_) throw;
      TrainResult none;  // before its first step: the chosen head alone is a model already
      none.stopped_early = true;
      return none;
    }
  }

  /// `fitted`: the choice whose head alone is the model; null where the network was trained.
  void find_confidence(const RecipeChoice* fitted) {
    const PictureSource source = data_->whole();
    const auto training = data_->training().size();
    const ConfidencePictures pictures = confidence_pictures(source, training, settings_.seed);
    // Features of a trained network are no other run's.
    const bool shares = settings_.freeze == "all" && settings_.unfreeze_every == 0 &&
                        settings_.batch_norm != BatchNormPolicy::train && !settings_.remove_lrn_and_dropout;
    const ConfidenceRows rows =
        fitted ? chooser_->confidence_rows(*fitted, pictures)
               : run_for_confidence(
                     model_, source, pictures, {options_.height, options_.width}, static_cast<size_t>(options_.batch),
                     *backend_, options_.threads, shares ? options_.cache.files.get() : nullptr,
                     [&](int64_t done, int64_t total) { listener_.progress("held-back pictures", done, total); });
    ConfidenceReport& report = result_.confidence;
    set_confidence(fit_confidence(rows, task_, report), model_.metadata);
    tell_confidence(report, task_, listener_);
  }

  /// The model as it would be now, for a listener that keeps it: not so often that it costs more than a tenth.
  void tell_improved(const EpochReport& report) {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    if (begin < next_improvement_) return;
    auto snapshot = std::make_shared<OnnxModel>(model_);
    snapshot->graph = model_.graph.independent_copy();
    finish(*snapshot, report.val_score, report.epoch);
    listener_.improved(Model(std::move(snapshot)));
    const auto end = Clock::now();
    next_improvement_ = end + 10 * (end - begin);
  }

  void tell_folds(FoldsResult folds) {
    result_.folds = std::move(folds);
    const FoldsResult& f = result_.folds;
    if (f.scores.size() == static_cast<size_t>(settings_.folds))  // fewer where the listener stopped them
      listener_.note(std::to_string(settings_.folds) + " folds: " + score_text(task_, f.mean) + ", deviation " +
                     short_number(f.deviation) + ", " + short_number(f.seconds) + " s");
  }

  void tell_picture_cache() {
    if (!decoded_) return;
    const DecodedPictures::Use use = decoded_->use();
    result_.picture_cache = {use.pictures, use.bytes, use.most_bytes, use.full};
    if (use.full && !result_.features_cached)
      listener_.note("decoded pictures found no more room after " + std::to_string(use.pictures) + " (" +
                     mebibytes(use.bytes) + "): the others were decoded in every epoch; " + mention("picture-cache") +
                     " gives more");
  }

  /// From the network that trains to the one that is used.
  void finish(OnnxModel& model, double best_score, int best_epoch) {
    Graph& graph = model.graph;
    if (task_ == Task::regression) data_->scale().undo(graph, head_);
    model.metadata.task = task_ == Task::classes ? "" : name_of(task_);
    if (settings_.stochastic_depth > 0) remove_stochastic_depth(graph);
    fold_inserted_norms(graph);
    graph.outputs.resize(1);  // auxiliary heads have done their work
    remove_dead_code(graph);
    model.metadata.other.erase(kAuxiliaryOutputs);
    set_confidence({}, model.metadata);
    model.metadata.labels = data_->dataset().classes;
    model.metadata.preprocessing = preprocessing_;
    model.metadata.other["graft.version"] = version();
    model.metadata.other["graft.training"] = nlohmann::json{
        {std::string("best_") + score_names(task_).first, best_score},
        {"best_epoch", best_epoch},
        {"freeze", settings_.freeze},
        {"optimizer", options_.optimizer.name},
        {"loss", options_.loss.name},
        {"seed", settings_.seed}}.dump();
    model.path.clear();
  }

  FinetuneSettings settings_;
  const Dataset& dataset_;
  Task task_;
  Preprocessing preprocessing_;
  OnnxModel model_;
  std::string place_;  // how errors call the model
  Listener& listener_;
  TrainListener inner_;
  TrainOptions options_;
  const Backend* backend_ = nullptr;
  std::unique_lock<std::recursive_mutex> in_use_;
  std::shared_ptr<DecodedPictures> decoded_;
  std::optional<TrainingData> data_;
  std::optional<PictureSource> whole_;     // training, then validation pictures: where features are shared
  std::optional<FeatureStore> features_;   // of a search and of folds
  std::vector<std::string> head_;          // names of the head's weights
  bool adapts_ = false;                    // the recipe is chosen by the pictures
  std::optional<RecipeChooser> chooser_;   // where it is
  std::optional<EpochReport> head_alone_;  // what the chosen head is worth
  bool stopped_while_choosing_ = false;
  std::chrono::steady_clock::time_point next_improvement_{};
  FinetuneResult result_;
};

}  // namespace

FinetuneResult finetune(Model model, const Dataset& dataset, const FinetuneSettings& settings, Listener* listener) {
  const auto start = std::chrono::steady_clock::now();
  Listener silent;
  Listener& told = listener ? *listener : silent;
  FinetuneResult result = at_api_boundary([&] {
    FinetuneSettings fixed = settings;
    fixed.augment = resolved_augmentation(settings.augment);
    if (fixed.seeds == 1) return Job(std::move(model), dataset, fixed, told).run();
    Job job(model, dataset, fixed, told);
    FinetuneResult first = job.run();
    if (!job.adapts() && first.model) told.trained(*first.model);
    if (!job.adapts())  // what adapts has repeated itself
      first.seeds = repeat_with_seeds(
          fixed, [&](const FinetuneSettings& s, Listener& inner) { return Job(model, dataset, s, inner).run(); }, told);
    tell_seeds(first, told);
    return first;
  });
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace graft
