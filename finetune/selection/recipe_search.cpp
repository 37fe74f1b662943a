#include "finetune/selection/recipe_search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>

#include "finetune/data/sample_subset.h"
#include "finetune/selection/cross_validation.h"
#include "finetune/selection/depth_training.h"
#include "finetune/selection/held_out.h"
#include "finetune/selection/prototypes.h"
#include "finetune/selection/softmax_regression.h"
#include "finetune/training/feature_store.h"
#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"

namespace graft {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFolds = 5;
/// Pictures that a preprocessing and mirrored views are judged by: more would take longer and tell little more.
constexpr size_t kJudges = 160;
/// Standard errors of the difference in loss by which a guess at the preprocessing gives way to another.
constexpr double kGuess = 0.5;
/// Below so many pictures in a class, its mean may serve better than fitted weights.
constexpr int kFewShots = 5;
/// The accuracy out of fold from which on a set counts as near to what the network was trained for.
constexpr double kNear = 0.9;
/// Errors of the head below which a depth could not show that it is better.
constexpr int kFewErrors = 8;
constexpr int kFewHeldOut = 16;
/// What a picture takes in a training step, in passes of the whole network forward.
constexpr double kTrainingPasses = 3.2;
/// The part of the time left that the first depth may try.
constexpr double kFirstDepth = 0.6;
/// A trial that takes so many times what it was allowed is given up.
constexpr double kOverrun = 1.5;
/// Pictures that a final training of layers below the head sees, and its epochs.
constexpr double kPicturesSeen = 6000;
constexpr int kFewestEpochs = 6, kMostEpochs = 15;

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string percent(double part) { return formatted("%.1f %%", 100 * part); }
std::string seconds_text(double seconds) { return formatted(seconds < 10 ? "%.1f s" : "%.0f s", seconds); }

class RecipeSearcher {
 public:
  RecipeSearcher(const RecipeProblem& problem, const TrainOptions& options, const TrainListener& listener,
                 const Backend& backend)
      : problem_(problem),
        options_(options),
        listener_(listener),
        backend_(backend),
        dims_{options.batch, options.height, options.width} {}

  RecipeChoice run() {
    const RecipeNetwork network = problem_.network("all");
    trunk_ = split_for_training(network.graph, options_, backend_).trunk;
    remove_dead_code(trunk_);
    layers_ = layers_below_head(network.graph, network.head);
    choose_preprocessing();
    compute_plain();
    choose_flips();
    head_on_plain_views();
    // What promises more comes first: a head that is nearly right has little to gain by depth.
    const bool near = head_.accuracy() >= kNear;
    if (near) head_on_augmented_views();
    choose_depth();
    if (!near && choice_.report.epochs == 0) head_on_augmented_views();
    if (stopped_) keep_head_alone();
    choice_.stopped = stopped_;
    choice_.head = best_->fit();
    choice_.report.l2 = best_->penalty();
    choice_.report.temperature = best_->temperature();
    choice_.form = training_form();
    choice_.report.flips = flips_;
    choice_.report.trials[chosen_].verdict = "chosen";
    choice_.report.budget = budget_;
    choice_.report.seconds = seconds_since_start();
    conclude();
    return std::move(choice_);
  }

 private:
  double seconds_since_start() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  /// Of the budget, which what every run computes does not count to.
  double left() const { return budget_ - (seconds_since_start() - features_seconds_); }

  PictureForm training_form() const {
    return {choice_.form.preprocessing,
            flips_ ? PictureForm::Variants::augmented : PictureForm::Variants::augmented_without_flips};
  }

  /// Runs the trunk over samples in the variants `first` to `last` of a form.
  FeatureCache features(const PictureForm& form, const std::vector<int64_t>& samples, uint64_t first, uint64_t last,
                        const std::string& phase) {
    std::vector<SampleRef> order;
    for (uint64_t variant = first; variant <= last; ++variant)
      for (const int64_t i : samples) order.push_back({i, variant});
    FeatureCache cache;
    cache.fill(trunk_, dims_, backend_, options_.threads, problem_.pictures(form), order,
               static_cast<size_t>(options_.batch), [&](int64_t done) {
                 if (listener_.progress) listener_.progress(phase, done, static_cast<int64_t>(order.size()));
               });
    return cache;
  }

  FeatureMatrix matrix(const FeatureCache& cache, const std::vector<int64_t>& samples, uint64_t variant) const {
    FeatureMatrix m;
    m.append(FeatureRows::all_of(cache), samples, variant);
    return m;
  }

  ClassTargets targets(const std::vector<int64_t>& samples) const {
    ClassTargets t;
    t.classes = problem_.classes;
    t.folds = kFolds;
    t.class_weights = options_.supervision.class_weights;
    const SampleSource& source = problem_.pictures(choice_.form);
    t.fold = assign_folds(source, samples, kFolds, options_.seed);
    std::map<int, int> of_class;
    for (const int64_t i : samples) ++of_class[t.labels.emplace_back(source.label(i))];
    for (size_t i = 0; i < samples.size(); ++i)
      if (of_class[t.labels[i]] == 1) t.fold[i] = -1;  // the fold that does not see it would not know its class
    return t;
  }

  /// What the regression says of the pictures of a fold, or of all folds (-1).
  static HeldOut judged(const LinearCandidate& regression, const ClassTargets& t, int fold = -1) {
    HeldOut judged;
    const auto classes = static_cast<size_t>(t.classes);
    for (size_t i = 0; i < t.labels.size(); ++i)
      if (t.fold[i] >= 0 && (fold < 0 || t.fold[i] == fold))
        judged.add({regression.scores().data() + i * classes, classes}, t.labels[i]);
    return judged;
  }

  /// The whole set in its plain view, which tells what everything else would take.
  void compute_plain() {
    const double begin = seconds_since_start();
    std::vector<int64_t> all;
    for (int64_t i = 0; i < problem_.pictures(choice_.form).size(); ++i) all.push_back(i);
    plain_ = features(choice_.form, all, 0, 0, "features");
    for (const int64_t i : plain_.samples()) (i < problem_.training ? training_ : choice_.validation).push_back(i);
    for (const auto& [index, reason] : plain_.failures()) {
      choice_.skipped.push_back(reason);
      if (listener_.note) listener_.note("skipped " + reason);
    }
    if (training_.empty()) throw Error("none of the training pictures can be read", "check the files named above");
    if (choice_.validation.empty())
      throw Error("none of the validation pictures can be read", "check the files named above");
    features_seconds_ = seconds_since_start() - begin;
    per_picture_ = features_seconds_ / static_cast<double>(all.size());
    budget_ = problem_.budget < 0 ? std::max(kLeastBudget, features_seconds_) : problem_.budget;
    note("features took " + seconds_text(features_seconds_) + "; choosing takes about " + seconds_text(budget_) +
         " at most, beside them");
    targets_ = targets(training_);
    const auto alone = std::count(targets_.fold.begin(), targets_.fold.end(), -1);
    if (alone > 0)
      note(std::to_string(alone) + (alone == 1 ? " class has" : " classes have") +
           " one readable picture, which trains but judges nothing: no score here speaks of it");
  }

  /// About kJudges of the training pictures, as many of each class.
  std::vector<int64_t> some_pictures() const {
    const size_t each = std::max<size_t>(2, kJudges / static_cast<size_t>(problem_.classes));
    const SampleSource& source = problem_.pictures(choice_.form);
    std::map<int, size_t> taken;
    std::vector<int64_t> some;
    for (int64_t i = 0; i < problem_.training; ++i)
      if (taken[source.label(i)]++ < each) some.push_back(i);
    return some;
  }

  void choose_preprocessing() {
    if (problem_.preprocessings.size() < 2) return;
    choice_.report.preprocessing = problem_.preprocessings[0];
    std::vector<int64_t> some = some_pictures();
    ClassTargets t;
    std::optional<HeldOut> best;
    size_t chosen = 0;
    for (size_t p = 0; p < problem_.preprocessings.size(); ++p) {
      const double begin = seconds_since_start();
      if (p > 1 && problem_.budget >= 0 &&
          begin * static_cast<double>(p + 1) > problem_.budget * static_cast<double>(p)) {
        tell_untried(p);
        break;
      }
      const FeatureCache cache =
          features({p, PictureForm::Variants::augmented}, some, 0, 0, "preprocessing " + problem_.preprocessings[p]);
      if (p == 0) {
        some = cache.samples();
        t = targets(some);
        if (!judges(t))
          return note("the preprocessing is a guess that too few pictures can judge: " + problem_.preprocessings[0]);
      }
      SoftmaxRegression regression(matrix(cache, some, 0), t, options_.threads);
      regression.sweep();
      const HeldOut now = judged(regression, t);
      add_trial("preprocessing " + problem_.preprocessings[p], now, begin, "not better");
      if (best) {
        const MeanDifference gain = mean_difference(best->losses, now.losses);
        if (!(gain.mean > kGuess * gain.error)) continue;
      }
      best = now;
      chosen = p;
    }
    std::vector<RecipeTrial>& trials = choice_.report.trials;
    choice_.report.preprocessing = problem_.preprocessings[chosen];
    choice_.form.preprocessing = chosen;
    trials[chosen].verdict = "taken";
    note("the model does not say how its pictures were prepared: " + problem_.preprocessings[chosen] +
         " fits best (loss " + formatted("%.3f", trials[chosen].loss) + " on " + std::to_string(trials[0].pictures) +
         " pictures not seen" +
         (chosen == 0 ? "" : "; " + problem_.preprocessings[0] + " " + formatted("%.3f", trials[0].loss)) + ")");
  }

  /// Mirrored views train where pictures judged in their plain view do not lose by it.
  void choose_flips() {
    std::vector<int64_t> some = some_pictures();
    std::erase_if(some, [&](int64_t i) { return !std::binary_search(training_.begin(), training_.end(), i); });
    if (left() < 2 * per_picture_ * static_cast<double>(some.size())) {
      note("no time to find out whether mirrored pictures help: they are used");
      return;
    }
    const double begin = seconds_since_start();
    const ClassTargets t = targets(some);
    if (!judges(t)) return note("too few pictures to find out whether mirrored ones help: they are used");
    FeatureMatrix views = matrix(plain_, some, 0);
    SoftmaxRegression plain(views, t, options_.threads);
    plain.sweep();
    const FeatureCache mirrored =
        features({choice_.form.preprocessing, PictureForm::Variants::mirrored}, some, 1, 1, "mirrored views");
    views.append(FeatureRows::all_of(mirrored), some, 1);
    SoftmaxRegression both(views, t, options_.threads);
    both.sweep();
    const HeldOut without = judged(plain, t), with = judged(both, t);
    const MeanDifference harm = mean_difference(with.losses, without.losses);
    flips_ = !(harm.mean > harm.error);
    add_trial("mirrored views", with, begin,
              flips_ ? "used in training" : formatted("they hurt: loss %.3f without", without.loss()));
  }

  void head_on_plain_views() {
    const double begin = seconds_since_start();
    const FeatureMatrix features = matrix(plain_, training_, 0);
    width_ = features.width();
    take(swept(features), "head on plain views", begin);
    std::map<int, int> of_class;
    for (const int label : targets_.labels) ++of_class[label];
    const bool few = std::any_of(of_class.begin(), of_class.end(), [](const auto& c) { return c.second < kFewShots; });
    if (few)
      consider(std::make_unique<Prototypes>(features, targets_), "nearest mean of a class", seconds_since_start());
  }

  std::unique_ptr<LinearCandidate> swept(const FeatureMatrix& features) const {
    auto regression = std::make_unique<SoftmaxRegression>(features, targets_, options_.threads);
    regression->sweep();
    return regression;
  }

  void take(std::unique_ptr<LinearCandidate> candidate, const std::string& what, double begin) {
    best_ = std::move(candidate);
    head_ = judged(*best_, targets_);
    chosen_ = head_trial_ = choice_.report.trials.size();
    add_trial(what, head_, begin, "");
  }

  /// Takes a candidate that is better than the best so far, beyond chance.
  void consider(std::unique_ptr<LinearCandidate> candidate, const std::string& what, double begin) {
    const HeldOut now = judged(*candidate, targets_);
    if (!is_better_beyond_chance(now, head_)) return add_trial(what, now, begin, "not better beyond chance");
    choice_.report.trials[chosen_].verdict = "not as good";
    take(std::move(candidate), what, begin);
  }

  void head_on_augmented_views() {
    if (stopped_) return;
    const int views = options_.cache.views;
    const double work = per_picture_ * static_cast<double>(training_.size()) * (views + 1);
    const std::string name = flips_ ? "head on augmented views" : "head on augmented views without flips";
    const size_t bytes = training_.size() * (static_cast<size_t>(views) + 1) * width_ * 2 * sizeof(float);
    if (left() < work) return note(name + ": not tried, takes about " + seconds_text(work));
    if (bytes > options_.cache.limit_bytes) return note(name + ": not tried, takes " + mebibytes(bytes));
    const double begin = seconds_since_start();
    const FeatureCache augmented =
        features(training_form(), training_, 1, static_cast<uint64_t>(views), "augmented views");
    if (augmented.samples().size() != training_.size())
      return note(name + ": not tried, some pictures cannot be read again");
    FeatureMatrix all = matrix(plain_, training_, 0);
    for (int v = 1; v <= views; ++v) all.append(FeatureRows::all_of(augmented), training_, static_cast<uint64_t>(v));
    consider(swept(all), name, begin);
  }

  void choose_depth() {
    if (stopped_) return;
    const auto errors = std::count(head_.right.begin(), head_.right.end(), false);
    if (errors < kFewErrors)
      return note("deeper training is not tried: the head is wrong on " + std::to_string(errors) + " of " +
                  std::to_string(head_.right.size()) + " pictures not seen, too few to show a gain");
    held_out_.clear();
    rest_.clear();
    for (size_t i = 0; i < training_.size(); ++i) (targets_.fold[i] == 0 ? held_out_ : rest_).push_back(training_[i]);
    if (held_out_.size() < kFewHeldOut)
      return note("deeper training is not tried: " + std::to_string(held_out_.size()) +
                  " pictures held out could not show a gain");
    reference_ = judged(*best_, targets_, 0);
    // Half the layers take less than half the time and come within little of all of them; a fifth is for sets so near
    // to the network's own that more would spoil it.
    const auto part = [&](int64_t layers) {
      if (layers >= 1 && layers < layers_)
        try_depth("last:" + std::to_string(layers), static_cast<double>(layers) / static_cast<double>(layers_),
                  kFirstDepth * left());
    };
    part(layers_ / 2);
    try_depth("none", 1, left());
    if (choice_.report.epochs == 0) part(layers_ / 5);
  }

  /// Enough to see kPicturesSeen of them, within bounds.
  static int epochs_for(size_t pictures) {
    return std::clamp(static_cast<int>(std::lround(kPicturesSeen / static_cast<double>(pictures))), kFewestEpochs,
                      kMostEpochs);
  }

  /// `share`: of the network that is trained; `allowed`: seconds.
  void try_depth(const std::string& freeze, double share, double allowed) {
    if (stopped_) return;
    const std::string layers = freeze == "none" ? "all layers" : freeze.substr(5) + " layers below the head";
    const double pass = per_picture_ * static_cast<double>(rest_.size());
    const double epoch = kTrainingPasses * share * pass;
    // The part that stays frozen is computed once for each view, batch norms are measured at the end.
    const double first = (1 - share) * pass * options_.cache.views + share * pass;
    const double after = per_picture_ * static_cast<double>(held_out_.size()) * 3;
    const double time = allowed - first - after;
    if (time < 0.4 * epoch)
      return note("training " + layers + ": not tried, an epoch takes about " + seconds_text(epoch) + " of " +
                  seconds_text(std::max(0.0, left())) + " left; " + mention("budget") + " " +
                  std::to_string(static_cast<int>(std::ceil(budget_ - left() + 2 * (epoch + first + after)))) +
                  " would do");
    const double begin = seconds_since_start();
    const int epochs = std::clamp(static_cast<int>(time / epoch), 1, epochs_for(rest_.size()));
    std::vector<int64_t> pictures = rest_;
    if (time < epoch) pictures = thinned(time / epoch);
    RecipeNetwork network = problem_.network(freeze);
    network.graph = network.graph.independent_copy();
    set_head(network.graph, network.head, best_->without_fold(0));
    TrainOptions options = depth_options(options_, network.graph, epochs);
    options.checkpoint = {};
    const SampleSource& source = problem_.pictures(training_form());
    const SampleSubset training(source, pictures), validation(source, held_out_);
    TrainListener inner;
    inner.progress = [&](const std::string&, int64_t done, int64_t total) {
      if (listener_.progress) listener_.progress("trial: " + layers, done, total);
    };
    const double deadline = begin + kOverrun * allowed;
    bool late = false;
    inner.batch = [&](double rate, double loss) {
      stopped_ = stopped_ || (listener_.batch && !listener_.batch(rate, loss));
      late = late || seconds_since_start() > deadline;
      return !stopped_ && !late;
    };
    const std::string what =
        layers + ", " + std::to_string(epochs) + (epochs == 1 ? " epoch" : " epochs") +
        (pictures.size() < rest_.size() ? " of " + std::to_string(pictures.size()) + " pictures" : "");
    HeldOut now;
    try {
      train(network.graph, network.head, training, validation, problem_.classes, options, inner, backend_);
      now = judge_network(network.graph, validation, options_, backend_);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unsupported && error.code() != ErrorCode::out_of_memory) throw;
      return note("training " + layers + ": not possible: " + error.what());
    }
    if (stopped_) return note("training " + layers + ": stopped");
    if (late)
      return note("training " + layers + ": given up after " + seconds_text(seconds_since_start() - begin) +
                  ", it takes longer than it seemed; a larger " + mention("budget") + " would do");
    if (now.losses.size() != reference_.losses.size())
      return note("training " + layers + ": not judged, some pictures cannot be read again");
    const bool better = is_better_beyond_chance(now, reference_);
    const double gain = now.accuracy() - reference_.accuracy();
    add_trial(what, now, begin,
              better ? ""
                     : formatted("no gain beyond chance: head alone %.1f %%, loss %.3f", 100 * reference_.accuracy(),
                                 reference_.loss()));
    if (!better) return;
    const bool first_depth = choice_.report.epochs == 0;
    if (!first_depth &&
        (now.accuracy() < depth_.accuracy() || (now.accuracy() == depth_.accuracy() && now.loss() >= depth_.loss()))) {
      choice_.report.trials.back().verdict = "less than the depth above";
      return;
    }
    choice_.report.trials[chosen_].verdict = first_depth ? "training deeper gains" : "less than another depth";
    chosen_ = choice_.report.trials.size() - 1;
    depth_ = now;
    gain_ = gain;
    depth_text_ = layers;
    epoch_seconds_ = epoch / 0.8;
    choice_.report.freeze = freeze;
    choice_.report.epochs = epochs_for(training_.size());
    choice_.training = depth_options(options_, network.graph, choice_.report.epochs);
  }

  /// Every so many of the pictures that train, class by class.
  std::vector<int64_t> thinned(double part) const {
    const SampleSource& source = problem_.pictures({0, PictureForm::Variants::augmented});
    std::map<int, double> owed;
    std::vector<int64_t> some;
    for (const int64_t i : rest_) {
      double& debt = owed.try_emplace(source.label(i), 0.999).first->second;
      debt += part;
      if (debt < 1) continue;
      debt -= 1;
      some.push_back(i);
    }
    return some;
  }

  void add_trial(const std::string& what, const HeldOut& judged, double begin, const std::string& verdict) {
    choice_.report.trials.push_back({what, static_cast<int64_t>(judged.losses.size()), judged.accuracy(), judged.loss(),
                                     seconds_since_start() - begin, verdict});
    if (listener_.progress)
      listener_.progress("candidates tried", static_cast<int64_t>(choice_.report.trials.size()), 0);
  }

  static bool judges(const ClassTargets& t) {
    return std::any_of(t.fold.begin(), t.fold.end(), [](int fold) { return fold >= 0; });
  }

  /// What a search that was stopped leaves: the best head so far.
  void keep_head_alone() {
    choice_.report.epochs = 0;
    choice_.report.freeze = "all";
    if (chosen_ != head_trial_) choice_.report.trials[chosen_].verdict = "stopped before its training";
    chosen_ = head_trial_;
  }

  void tell_untried(size_t first) {
    std::string names;
    for (size_t p = first; p < problem_.preprocessings.size(); ++p) names += " " + problem_.preprocessings[p];
    note("no time to try the preprocessing" + names);
  }

  void conclude() {
    RecipeSearch& report = choice_.report;
    if (report.epochs > 0)
      report.conclusion = (gain_ >= 0.02 ? "your pictures look unlike the network's: training " : "training ") +
                          depth_text_ + " gained " + formatted("%.1f", 100 * gain_) + " points on " +
                          std::to_string(depth_.right.size()) + " pictures not seen; " + std::to_string(report.epochs) +
                          " epochs of it, in batches of " + std::to_string(choice_.training.batch) + ", take about " +
                          seconds_text(epoch_seconds_ * report.epochs);
    else
      report.conclusion = report.trials[chosen_].what + " suits: right on " + percent(head_.accuracy()) + " of " +
                          std::to_string(head_.right.size()) + " pictures not seen; nothing deeper is trained";
    note(report.conclusion);
    choice_.features = std::move(plain_);
  }

  void note(const std::string& text) const {
    if (listener_.note) listener_.note(text);
  }

  const RecipeProblem& problem_;
  const TrainOptions& options_;
  const TrainListener& listener_;
  const Backend& backend_;
  OpenDims dims_;
  Graph trunk_;
  int64_t layers_ = 0;                    // with weights, below the head
  FeatureCache plain_;                    // of all pictures
  std::vector<int64_t> training_;         // readable
  ClassTargets targets_;                  // of them
  std::vector<int64_t> held_out_, rest_;  // of a depth's trial
  std::unique_ptr<LinearCandidate> best_;
  HeldOut head_, reference_, depth_;  // the best head, on the held-out part, and the best depth there
  size_t chosen_ = 0;                 // trial
  size_t width_ = 0;                  // of features
  size_t head_trial_ = 0;
  bool flips_ = true, stopped_ = false;
  double features_seconds_ = 0;
  double per_picture_ = 0;  // seconds of the network forward, with reading
  double budget_ = 0, gain_ = 0, epoch_seconds_ = 0;
  std::string depth_text_;
  Clock::time_point start_ = Clock::now();
  RecipeChoice choice_;
};

}  // namespace

RecipeChoice choose_recipe(const RecipeProblem& problem, const TrainOptions& options, const TrainListener& listener,
                           const Backend& backend) {
  return RecipeSearcher(problem, options, listener, backend).run();
}

}  // namespace graft
