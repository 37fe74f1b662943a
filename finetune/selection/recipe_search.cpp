#include "finetune/selection/recipe_search.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "finetune/data/readable_classes.h"
#include "finetune/heads/freeze.h"
#include "finetune/heads/insert_norms.h"
#include "finetune/selection/cross_validation.h"
#include "finetune/selection/depth_search.h"
#include "finetune/selection/depth_training.h"
#include "finetune/selection/prototypes.h"
#include "finetune/selection/search_journal.h"
#include "finetune/selection/softmax_regression.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"

namespace graft {
namespace {

constexpr int kFolds = 5;
/// Pictures that a preprocessing and mirrored views are judged by: more would take longer and tell little more.
constexpr size_t kJudges = 160, kFewestJudges = 16;
/// Standard errors of the difference in loss by which a guess at the preprocessing gives way to another.
constexpr double kGuess = 0.5;
/// Below so many pictures in a class, its mean may serve better than fitted weights.
constexpr int kFewShots = 5;

class RecipeSearcher {
 public:
  RecipeSearcher(const RecipeProblem& problem, FeatureBank& bank, const TrainOptions& options,
                 const TrainListener& listener, const Backend& backend)
      : problem_(problem), bank_(bank), options_(options), backend_(backend), journal_(listener) {}

  RecipeChoice run() {
    const RecipeNetwork network = problem_.network("all", HeadInput::features);
    layers_ = layers_below_head(network.graph, network.head);
    try {
      search();
    } catch (const Stopped& stopped) {
      if (training_.empty())
        throw Error("stopped before there was a model (" + stopped.phase + ")", {}, ErrorCode::cancelled);
      if (!best_) problem_.class_means ? head_of_class_means() : head_on_plain_views();
    }
    if (journal_.stopped) keep_head_alone();
    conclude();
    return finished();
  }

  RecipeChoice repeat(const RecipeChoice& known) {
    const RecipeNetwork network = problem_.network("all", HeadInput::features);
    layers_ = layers_below_head(network.graph, network.head);
    preprocessing_ = known.form.preprocessing;
    flips_ = known.report.flips;
    choice_.input = known.input;
    choice_.kind = known.kind;
    searches_ = false;
    if (problem_.preprocessings.size() > 1) choice_.report.preprocessing = problem_.preprocessings.at(preprocessing_);
    try {
      compute_plain();
      const double begin = journal_.seconds();
      FeatureMatrix features = plain_features(choice_.input);
      if (known.kind == HeadKind::augmented_views) append_views(features);
      if (known.kind == HeadKind::class_means)
        take(std::make_unique<Prototypes>(features, targets_), "head as it was chosen before", begin);
      else
        take(swept(features), "head as it was chosen before", begin);
    } catch (const Stopped& stopped) {
      throw Error("stopped before there was a model (" + stopped.phase + ")", {}, ErrorCode::cancelled);
    }
    if (known.report.epochs > 0) {
      const RecipeNetwork deeper = problem_.network(known.report.freeze, choice_.input);
      FoundDepth depth;
      depth.freeze = known.report.freeze;
      depth.epochs = known.report.epochs;
      depth.norms = measure_activations(problem_, training_form(), options_, backend_);
      Graph graph = deeper.graph;
      insert_norms(graph, depth.norms);
      depth.trunk_rate = known.report.trunk_rate;
      depth.training = depth_options(options_, graph, deeper.head, depth.epochs, depth.trunk_rate);
      depth_ = std::move(depth);
    }
    choice_.report.conclusion = "as it was chosen before";
    return finished();
  }

 private:
  RecipeChoice finished() {
    RecipeSearch& report = choice_.report;
    if (depth_) {
      report.freeze = depth_->freeze;
      report.epochs = depth_->epochs;
      report.trunk_rate = depth_->trunk_rate;
      choice_.training = depth_->training;
      choice_.norms = depth_->norms;
    }
    choice_.stopped = journal_.stopped;
    choice_.head = best_->fit();
    choice_.form = training_form();
    report.l2 = best_->penalty();
    report.temperature = best_->temperature();
    report.flips = flips_;
    report.joined = choice_.input == HeadInput::joined;
    journal_.trials[journal_.chosen].verdict = "chosen";
    report.trials = journal_.trials;
    report.budget = journal_.budget;
    report.seconds = journal_.seconds();
    return std::move(choice_);
  }

  /// Leaves a pass over pictures that the listener stops.
  struct Stopped {
    std::string phase;
  };

  void search() {
    choose_preprocessing();
    compute_plain();
    if (problem_.class_means) return head_of_class_means();
    choose_flips();
    head_on_plain_views();
    // What promises more comes first: a head that is nearly right has little to gain by depth.
    const bool near = head_.accuracy() >= kNear;
    if (near) head_on_augmented_views();
    choose_depth();
    if (!near && !depth_) head_on_augmented_views();
  }

  PictureForm plain_form() const { return {preprocessing_}; }
  PictureForm training_form() const {
    return {preprocessing_, flips_ ? PictureForm::Variants::augmented : PictureForm::Variants::augmented_without_flips,
            options_.seed};
  }
  int label(int64_t sample) const { return problem_.pictures(plain_form()).label(sample); }

  void want(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t first, uint64_t last,
            const std::string& phase) {
    bank_.want(form, samples, first, last, [&](int64_t done, int64_t total) {
      journal_.progress(phase, done, total);
      if (done < total && !journal_.goes_on(0, 0)) throw Stopped{phase};
    });
  }

  ClassTargets targets(const std::vector<int64_t>& samples) const {
    ClassTargets t;
    t.classes = problem_.classes;
    t.folds = kFolds;
    const SampleSource& source = problem_.pictures(plain_form());
    t.fold = assign_folds(source, samples, kFolds, options_.seed);
    std::map<int, int> of_class;
    for (const int64_t i : samples) {
      ++of_class[t.labels.emplace_back(source.label(i))];
      t.weights.push_back(class_sample_weight(source, i, options_.supervision.class_weights));
    }
    for (size_t i = 0; i < samples.size(); ++i)
      if (of_class[t.labels[i]] == 1) t.fold[i] = -1;  // the fold that does not see it would not know its class
    return t;
  }

  /// Whether pictures of two classes are judged: of one, every choice is right.
  static bool judges(const ClassTargets& t) {
    std::set<int> judged;
    for (size_t i = 0; i < t.fold.size(); ++i)
      if (t.fold[i] >= 0) judged.insert(t.labels[i]);
    return judged.size() > 1;
  }

  /// About kJudges of the training pictures, as many of each class.
  std::vector<int64_t> some_pictures() const {
    const size_t each = std::max<size_t>(2, kJudges / static_cast<size_t>(problem_.classes));
    std::map<int, size_t> taken;
    std::vector<int64_t> some;
    for (const int64_t i : problem_.training)
      if (taken[label(i)]++ < each) some.push_back(i);
    return some;
  }

  void choose_preprocessing() {
    const std::vector<std::string>& names = problem_.preprocessings;
    if (names.size() < 2) return;
    RecipeSearch& report = choice_.report;
    report.preprocessing = names[0];
    std::vector<int64_t> some = some_pictures();
    ClassTargets t;
    std::optional<HeldOut> best;
    for (size_t p = 0; p < names.size(); ++p) {
      const double begin = journal_.seconds();
      if (p > 1 && problem_.budget >= 0 &&
          begin * static_cast<double>(p + 1) > problem_.budget * static_cast<double>(p)) {
        tell_untried(p);
        break;
      }
      want({p}, some, 0, 0, "preprocessing " + names[p]);
      if (p == 0) {
        some = bank_.readable({p}, some, 0, 0);
        t = targets(some);
        if (!judges(t) || some.size() < kFewestJudges)
          return journal_.note("the model does not say how its pictures were prepared, and " +
                               std::to_string(some.size()) + " training pictures are too few to find out: " + names[p] +
                               " is a guess; " + mention("preprocess") + " says which is right");
      }
      FeatureMatrix features;
      features.append(bank_.view({p}, some, 0, HeadInput::features), bank_.width(HeadInput::features));
      SoftmaxRegression regression(features, t, options_.threads);
      regression.sweep();
      const HeldOut now = judged(regression, t);
      journal_.add("preprocessing " + names[p], now, begin, "not better");
      if (best) {
        const MeanDifference gain = mean_difference(best->losses, now.losses);
        if (!(gain.mean > kGuess * gain.error)) continue;
      }
      best = now;
      preprocessing_ = p;
    }
    std::vector<RecipeTrial>& trials = journal_.trials;
    report.preprocessing = names[preprocessing_];
    trials[preprocessing_].verdict = "taken";
    journal_.note("the model does not say how its pictures were prepared: " + names[preprocessing_] +
                  " fits best (loss " + fixed_text(trials[preprocessing_].loss, 3) + " on " +
                  std::to_string(trials[0].pictures) + " pictures not seen" +
                  (preprocessing_ == 0 ? "" : "; " + names[0] + " " + fixed_text(trials[0].loss, 3)) + ")");
  }

  void tell_untried(size_t first) const {
    std::string names;
    for (size_t p = first; p < problem_.preprocessings.size(); ++p) names += " " + problem_.preprocessings[p];
    journal_.note("no time to try the preprocessing" + names);
  }

  /// All pictures in their plain view, which tells what everything else would take.
  void compute_plain() {
    const double begin = journal_.seconds();
    std::vector<int64_t> all = problem_.training;
    all.insert(all.end(), problem_.validation.begin(), problem_.validation.end());
    for (const std::string& depth : depths_to_try(layers_))
      for (const HeadInput input : {HeadInput::features, HeadInput::joined})
        if (depth != "none" && (input == HeadInput::features || can_join()))
          bank_.keep_boundary(depth, input, problem_.network(depth, input).graph, preprocessing_, all.size());
    want(plain_form(), all, 0, 0, "features");
    training_ = bank_.readable(plain_form(), problem_.training, 0, 0);
    for (const auto& [index, reason] : bank_.failures())
      if (std::find(all.begin(), all.end(), index) != all.end()) {
        choice_.skipped.push_back(reason);
        journal_.note("skipped " + reason);
      }
    if (training_.empty()) throw Error("none of the training pictures can be read", "check the files named above");
    const std::vector<std::pair<int64_t, std::string>> failures(bank_.failures().begin(), bank_.failures().end());
    check_readable_classes(problem_.pictures(plain_form()), problem_.training, training_, failures);
    if (bank_.readable(plain_form(), problem_.validation, 0, 0).empty())
      throw Error("none of the validation pictures can be read", "check the files named above");
    journal_.features_seconds = journal_.seconds() - begin;
    const double all_seconds = bank_.seconds_per_picture() * static_cast<double>(all.size());
    journal_.budget = problem_.budget < 0 ? std::max(kLeastBudget, all_seconds) : problem_.budget;
    if (searches_ && !problem_.class_means)
      journal_.note("features took " + seconds_text(journal_.features_seconds) + "; choosing takes about " +
                    seconds_text(journal_.budget) + " at most, beside them");
    targets_ = targets(training_);
    const auto alone = std::count(targets_.fold.begin(), targets_.fold.end(), -1);
    if (alone > 0)
      journal_.note(std::to_string(alone) + (alone == 1 ? " class has" : " classes have") +
                    " one readable training picture: it trains, but no choice can be judged by it");
  }

  /// Mirrored views train where pictures judged in their plain view do not lose by it.
  void choose_flips() {
    std::vector<int64_t> some = bank_.readable(plain_form(), some_pictures(), 0, 0);
    if (journal_.left() < 2 * bank_.seconds_per_picture() * static_cast<double>(some.size()))
      return journal_.note("no time to find out whether mirrored pictures help: they are used");
    const double begin = journal_.seconds();
    const PictureForm mirrored{preprocessing_, PictureForm::Variants::mirrored};
    want(mirrored, some, 1, 1, "mirrored views");
    some = bank_.readable(mirrored, some, 1, 1);
    const ClassTargets t = targets(some);
    if (!judges(t)) return journal_.note("too few pictures to find out whether mirrored ones help: they are used");
    FeatureMatrix views;
    views.append(bank_.view(plain_form(), some, 0, HeadInput::features), bank_.width(HeadInput::features));
    SoftmaxRegression plain(views, t, options_.threads);
    plain.sweep();
    views.append(bank_.view(mirrored, some, 1, HeadInput::features), bank_.width(HeadInput::features));
    SoftmaxRegression both(views, t, options_.threads);
    both.sweep();
    const HeldOut without = judged(plain, t), with = judged(both, t);
    const MeanDifference harm = mean_difference(with.losses, without.losses);
    flips_ = !(harm.mean > harm.error);
    journal_.add("mirrored views", with, begin,
                 flips_ ? "used in training" : "they hurt: loss " + fixed_text(without.loss(), 3) + " without");
  }

  void head_of_class_means() {
    const double begin = journal_.seconds();
    auto means = std::make_unique<Prototypes>(plain_features(HeadInput::features), targets_);
    if (!means->judges())
      journal_.note("no class has two training pictures: how sure the model is, is a guess, and nothing judges it");
    choice_.kind = HeadKind::class_means;
    take(std::move(means), "nearest mean of a class", begin);
  }

  void head_on_plain_views() {
    const double begin = journal_.seconds();
    FeatureMatrix features = plain_features(HeadInput::features);
    take(swept(features), "head on plain views", begin);
    std::map<int, int> of_class;
    for (const int label : targets_.labels) ++of_class[label];
    const bool few = std::any_of(of_class.begin(), of_class.end(), [](const auto& c) { return c.second < kFewShots; });
    if (few &&
        consider(std::make_unique<Prototypes>(features, targets_), "nearest mean of a class", journal_.seconds()))
      choice_.kind = HeadKind::class_means;
    if (can_join() && !journal_.stopped) head_on_joined_layers();
  }

  bool can_join() const { return bank_.width(HeadInput::joined) > bank_.width(HeadInput::features); }

  FeatureMatrix plain_features(HeadInput input) const {
    FeatureMatrix features;
    features.append(bank_.view(plain_form(), training_, 0, input), bank_.width(input));
    features.parts = bank_.parts(input);
    return features;
  }

  /// Earlier layers tell what the last ones have forgotten, where pictures are unlike those the network was trained on.
  void head_on_joined_layers() {
    const double begin = journal_.seconds();
    const size_t bytes = training_.size() * bank_.width(HeadInput::joined) * 2 * sizeof(float);
    if (bytes > options_.cache.limit_bytes)
      return journal_.note("head on joined layers: not tried, takes " + mebibytes(bytes));
    if (consider(swept(plain_features(HeadInput::joined)), "head on the last layers joined", begin)) {
      choice_.input = HeadInput::joined;
      choice_.kind = HeadKind::plain_views;
    }
  }

  std::unique_ptr<LinearCandidate> swept(const FeatureMatrix& features) const {
    auto regression = std::make_unique<SoftmaxRegression>(features, targets_, options_.threads);
    regression->sweep();
    return regression;
  }

  void take(std::unique_ptr<LinearCandidate> candidate, const std::string& what, double begin) {
    best_ = std::move(candidate);
    head_ = judged(*best_, targets_);
    journal_.chosen = head_trial_ = journal_.trials.size();
    journal_.add(what, head_, begin, "");
  }

  /// Takes a candidate that is better than the best so far, beyond chance.
  bool consider(std::unique_ptr<LinearCandidate> candidate, const std::string& what, double begin) {
    const HeldOut now = judged(*candidate, targets_);
    if (!is_better_beyond_chance(now, head_)) {
      journal_.add(what, now, begin, "not better beyond chance");
      return false;
    }
    journal_.trials[journal_.chosen].verdict = "not as good";
    take(std::move(candidate), what, begin);
    return true;
  }

  void head_on_augmented_views() {
    if (journal_.stopped) return;
    const auto views = static_cast<uint64_t>(options_.cache.views);
    const double work = bank_.seconds_per_picture() * static_cast<double>(training_.size() * (views + 1));
    const std::string name = flips_ ? "head on augmented views" : "head on augmented views without flips";
    const size_t bytes = training_.size() * (views + 1) * bank_.width(choice_.input) * 2 * sizeof(float);
    if (journal_.left() < work) return journal_.note(name + ": not tried, takes about " + seconds_text(work));
    if (bytes > options_.cache.limit_bytes) return journal_.note(name + ": not tried, takes " + mebibytes(bytes));
    const double begin = journal_.seconds();
    want(training_form(), training_, 1, views, "augmented views");
    if (bank_.readable(training_form(), training_, 1, views).size() != training_.size())
      return journal_.note(name + ": not tried, some pictures cannot be read again");
    FeatureMatrix all = plain_features(choice_.input);
    append_views(all);
    if (consider(swept(all), name, begin)) choice_.kind = HeadKind::augmented_views;
  }

  void append_views(FeatureMatrix& features) {
    const auto views = static_cast<uint64_t>(options_.cache.views);
    want(training_form(), training_, 1, views, "augmented views");
    if (bank_.readable(training_form(), training_, 1, views).size() != training_.size())
      throw Error("some training pictures cannot be read again", "check the files named above", ErrorCode::bad_data);
    for (uint64_t v = 1; v <= views; ++v)
      features.append(bank_.view(training_form(), training_, v, choice_.input), bank_.width(choice_.input));
  }

  void choose_depth() {
    if (journal_.stopped) return;
    const PictureForm form = training_form();
    depth_ =
        DepthSearch(problem_, bank_, options_, backend_, journal_, training_, targets_, form, choice_.input, layers_)
            .run(*best_);
  }

  /// What a search that was stopped leaves: the best head so far.
  void keep_head_alone() {
    depth_.reset();
    if (journal_.chosen != head_trial_) journal_.trials[journal_.chosen].verdict = "stopped before its training";
    journal_.chosen = head_trial_;
  }

  void conclude() {
    std::string& text = choice_.report.conclusion;
    if (depth_)
      text = (depth_->gain >= 0.02 ? "your pictures look unlike the network's: training " : "training ") +
             depth_->layers + " gained " + fixed_text(100 * depth_->gain, 1) + " points on " +
             std::to_string(depth_->judged.right.size()) + " pictures not seen; " + std::to_string(depth_->epochs) +
             " epochs of it, in batches of " + std::to_string(depth_->training.batch) + ", take about " +
             seconds_text(depth_->epoch_seconds * depth_->epochs);
    else if (problem_.class_means && head_.right.empty())
      text = "nearest mean of a class, as asked for; nothing deeper is trained";
    else
      text = journal_.trials[journal_.chosen].what + (problem_.class_means ? ", as asked for" : " suits") +
             ": right on " + percent_text(head_.accuracy()) + " of " + std::to_string(head_.right.size()) +
             " pictures not seen; nothing deeper is trained";
    if (!problem_.class_means && !judges(targets_)) text += "; all of these are of one class, so that it tells nothing";
    journal_.note(text);
  }

  const RecipeProblem& problem_;
  FeatureBank& bank_;
  const TrainOptions& options_;
  const Backend& backend_;
  SearchJournal journal_;
  size_t preprocessing_ = 0;       // chosen
  int64_t layers_ = 0;             // with weights, below the head
  std::vector<int64_t> training_;  // readable
  ClassTargets targets_;           // of them
  std::unique_ptr<LinearCandidate> best_;
  HeldOut head_;  // of the best
  size_t head_trial_ = 0;
  bool flips_ = true;
  bool searches_ = true;  // false: it does again what was chosen
  std::optional<FoundDepth> depth_;
  RecipeChoice choice_;
};

}  // namespace

RecipeChoice choose_recipe(const RecipeProblem& problem, FeatureBank& bank, const TrainOptions& options,
                           const TrainListener& listener, const Backend& backend) {
  return RecipeSearcher(problem, bank, options, listener, backend).run();
}

RecipeChoice repeat_choice(const RecipeProblem& problem, FeatureBank& bank, const RecipeChoice& known,
                           const TrainOptions& options, const TrainListener& listener, const Backend& backend) {
  return RecipeSearcher(problem, bank, options, listener, backend).repeat(known);
}

}  // namespace graft
