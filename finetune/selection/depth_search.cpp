#include "finetune/selection/depth_search.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "finetune/data/sample_subset.h"
#include "finetune/selection/depth_training.h"
#include "finetune/training/feature_store.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// Errors of the head below which a depth could not show that it is better.
constexpr int kFewErrors = 8;
constexpr int kFewHeldOut = 16;
/// What a picture takes in a training step, in passes forward of what is trained, at most.
constexpr double kManyPasses = 6;
/// Batches that are timed where it matters.
constexpr int64_t kTimedBatches = 5;
/// Steps below which a trial tells little of what a depth would come to.
constexpr double kFairSteps = 240;
/// Where a head leaves errors that deeper training may mend, choosing may take so many times as long, unless the user
/// said how long.
constexpr double kDepthBudget = 3;
/// The learning rate below the head, as a part of the largest that such layers bear, for pictures that the network
/// nearly knows: at the largest it forgets what serves them.
constexpr double kNearRate = 0.3;
/// The accuracy on pictures held out from which on nothing deeper is tried.
constexpr double kNearlyAll = 0.99;
/// The part of the time left that may go into telling a gain from chance.
constexpr double kCloserLook = 0.8;
/// A trial that takes so many times what is left is given up.
constexpr double kOverrun = 1.25;
/// Pictures that a final training of layers below the head sees, and its epochs.
constexpr double kPicturesSeen = 6000;
constexpr int kFewestEpochs = 6, kMostEpochs = 15;

/// Enough to see kPicturesSeen of them, within bounds.
int epochs_for(size_t pictures) {
  return std::clamp(static_cast<int>(std::lround(kPicturesSeen / static_cast<double>(pictures))), kFewestEpochs,
                    kMostEpochs);
}

int64_t errors_of(const HeldOut& judged) { return std::count(judged.right.begin(), judged.right.end(), false); }

std::string in_words(const std::string& freeze) {
  if (freeze == "none") return "all layers";
  return freeze.substr(5) + (freeze == "last:1" ? " layer below the head" : " layers below the head");
}

}  // namespace

/// What a trial trains: the whole network on pictures, or what is behind a boundary on the rows that are kept there.
struct DepthSearch::Trial {
  std::string freeze;
  RecipeNetwork network;
  FeatureRows rows;  // of no cache: pictures
  const Fold* fold = nullptr;
  std::vector<int64_t> pictures;
  TrainOptions options;
  double deadline = 0;
};

std::vector<std::string> depths_to_try(int64_t layers) {
  std::vector<std::string> depths;
  for (const int64_t n : {layers / 5, layers / 2})
    if (n >= 1 && n < layers) depths.push_back("last:" + std::to_string(n));
  depths.emplace_back("none");
  return depths;
}

double fair_epochs(std::span<const TrialCost> trials, double seconds, double steps_per_epoch) {
  double epoch_of_each = 0, fair = 0;
  for (size_t i = 0; i < trials.size(); ++i) {
    seconds -= trials[i].beside;
    epoch_of_each += trials[i].epoch;
    const double epochs = std::max(0.0, seconds / epoch_of_each);
    if (i > 0 && epochs * steps_per_epoch < kFairSteps) break;
    fair = epochs;
  }
  return fair;
}

DepthSearch::DepthSearch(const RecipeProblem& problem, const FeatureBank& bank, const TrainOptions& options,
                         const Backend& backend, SearchJournal& journal, const std::vector<int64_t>& training,
                         const ClassTargets& targets, const PictureForm& form, HeadInput input, int64_t layers)
    : problem_(problem),
      bank_(bank),
      options_(options),
      backend_(backend),
      journal_(journal),
      training_(training),
      targets_(targets),
      form_(form),
      input_(input),
      layers_(layers) {
  folds_.resize(static_cast<size_t>(targets_.folds));
  for (size_t i = 0; i < training_.size(); ++i)
    for (size_t f = 0; f < folds_.size(); ++f)
      (targets_.fold[i] == static_cast<int>(f) ? folds_[f].held_out : folds_[f].rest).push_back(training_[i]);
}

std::optional<FoundDepth> DepthSearch::run(const LinearCandidate& head) {
  const HeldOut all = judged(head, targets_);
  for (size_t f = 0; f < folds_.size(); ++f) folds_[f].reference = judged(head, targets_, static_cast<int>(f));
  const auto errors = errors_of(all);
  if (errors < kFewErrors) {
    journal_.note("deeper training is not tried: the head is wrong on " + std::to_string(errors) + " of " +
                  std::to_string(all.right.size()) + " pictures not seen, too few to show a gain");
    return std::nullopt;
  }
  if (folds_[0].held_out.size() < kFewHeldOut) {
    journal_.note("deeper training is not tried: " + std::to_string(folds_[0].held_out.size()) +
                  " pictures held out could not show a gain");
    return std::nullopt;
  }
  allow_more_time(errors, all.right.size());
  near_ = all.accuracy() >= kNear;
  trunk_rate_ = near_ ? kNearRate : 1;
  // A fifth of the layers takes little time and tells a far set from a near one; half of them come within little of
  // all.
  const std::vector<std::string> depths = depths_to_try(layers_);
  // A far set may gain by any of them. On a near one a depth is only tried where the one above it gained, and needs no
  // correction for their number (a fixed-sequence test).
  comparisons_ = near_ ? 1 : static_cast<int>(depths.size());
  for (size_t i = 0; i < depths.size() && !journal_.stopped; ++i) {
    if (near_ && i > 0 && !found_) {
      journal_.note("training " + in_words(depths[i]) + ": not tried, since fewer show no gain");
      break;
    }
    if (found_ && found_->judged.accuracy() >= kNearlyAll) {
      journal_.note("training " + in_words(depths[i]) + ": not tried, " + found_->layers + " leave little to gain");
      break;
    }
    try_depth(std::span(depths).subspan(i));
  }
  return found_;
}

void DepthSearch::allow_more_time(int64_t errors, size_t pictures) {
  if (problem_.budget >= 0) return;
  const std::string before = std::to_string(static_cast<int>(std::lround(journal_.budget)));
  journal_.budget *= kDepthBudget;
  journal_.note("the head alone is wrong on " + std::to_string(errors) + " of " + std::to_string(pictures) +
                " pictures not seen: choosing may take about " + seconds_text(journal_.budget) +
                " in all, so that deeper training can be tried (" + mention("budget") + " " + before + " prevents it)");
}

double DepthSearch::steps_per_epoch() const {
  return static_cast<double>(folds_[0].rest.size()) / static_cast<double>(std::min(options_.batch, kDepthBatch));
}

/// Without rows, the part that stays frozen is computed for each batch; batch norms are measured at the end.
TrialCost DepthSearch::cost_of(const std::string& freeze) const {
  const double share =
      freeze == "none" ? 1 : static_cast<double>(std::stoll(freeze.substr(5))) / static_cast<double>(layers_);
  const double picture = bank_.seconds_per_picture(), pass = picture * static_cast<double>(folds_[0].rest.size());
  const bool kept = bank_.boundary(freeze, input_, form_.preprocessing, training_).cache != nullptr;
  TrialCost cost;
  cost.epoch = (passes_ * share + (kept ? 0 : 1 - share)) * pass;
  cost.beside = (kept ? share : 1) * pass + picture * static_cast<double>(folds_[0].held_out.size());
  return cost;
}

RecipeNetwork DepthSearch::network(const std::string& freeze) {
  if (!norms_) {
    const double begin = journal_.seconds();
    norms_ = measure_activations(problem_, form_, options_, backend_);
    measuring_ = journal_.seconds() - begin;
  }
  RecipeNetwork network = problem_.network(freeze, input_);
  insert_norms(network.graph, *norms_);
  return network;
}

void DepthSearch::try_depth(std::span<const std::string> depths) {
  const std::string layers = in_words(depths.front());
  try {
    try_within(depths, journal_.left());
  } catch (const Error& error) {
    if (journal_.listener_threw() || error.code() == ErrorCode::internal) throw;
    journal_.note("training " + layers + ": not possible: " + error.what());
  }
}

void DepthSearch::try_within(std::span<const std::string> depths, double allowed) {
  const std::string& freeze = depths.front();
  const std::string layers = in_words(freeze);
  const double begin = journal_.seconds();
  const auto room = [&] { return allowed - (journal_.seconds() - begin - measuring_); };
  TrialCost cost = cost_of(freeze);
  const int wanted = epochs_for(folds_[0].rest.size());
  const auto too_little = [&] {
    const double possible = (room() - cost.beside) / cost.epoch;
    // What already gains is trained long enough to be hard to beat by a trial that is too short.
    const bool is_fair = possible >= wanted || possible * steps_per_epoch() >= kFairSteps;
    if (found_ ? is_fair : room() >= cost.least()) return false;
    journal_.note("training " + layers + ": not tried, an epoch takes about " + seconds_text(cost.epoch) + " of " +
                  seconds_text(std::max(0.0, room())) + " that are left for it; " + mention("budget") + " " +
                  std::to_string(static_cast<int>(
                      std::ceil(journal_.budget - journal_.left() +
                                1.5 * (std::max(2.0, kFairSteps / steps_per_epoch()) * cost.epoch + cost.beside)))) +
                  " would do");
    return true;
  };
  measuring_ = 0;
  if (too_little()) return;
  Trial trial;
  trial.freeze = freeze;
  trial.network = network(freeze);
  trial.rows = bank_.boundary(freeze, input_, form_.preprocessing, training_);
  if (trial.rows.cache) {
    trial.network.graph = split_for_training(trial.network.graph, options_, backend_).rest;
    remove_dead_code(trial.network.graph);
  } else if (freeze != "none") {
    journal_.note("training " + layers + ": what they read takes too much memory to be kept; it is computed each time");
  }
  const Graph start = trial.network.graph;
  const auto prepare = [&](const Fold& fold, int epochs) {
    trial.fold = &fold;
    trial.pictures = fold.rest;
    trial.network.graph = start.independent_copy();  // with its new head
    trial.options = depth_options(options_, trial.network.graph, trial.network.head, epochs, trunk_rate_);
    trial.options.checkpoint = {};
    trial.options.cache.mode = trial.rows.cache ? CacheOptions::Mode::automatic : CacheOptions::Mode::off;
  };
  trial.deadline = begin + measuring_ + kOverrun * allowed;
  if (room() - cost.beside < wanted * cost.epoch * kManyPasses / passes_ &&
      static_cast<int64_t>(folds_[0].rest.size()) >= kTimedBatches * options_.batch) {
    prepare(folds_[0], 1);
    const double took = seconds_per_step(trial);
    if (took > 0) {
      const double epoch = took * static_cast<double>(folds_[0].rest.size()) / static_cast<double>(trial.options.batch);
      passes_ *= epoch / cost.epoch;
      cost.epoch = epoch;
    }
    if (too_little()) return;
  }
  std::vector<TrialCost> costs;
  for (const std::string& depth : depths) costs.push_back(cost_of(depth));
  costs.front() = cost;
  const double possible = fair_epochs(costs, room(), steps_per_epoch()), part = std::min(1.0, possible);
  const int epochs = std::clamp(static_cast<int>(possible), 1, wanted);
  prepare(folds_[0], epochs);
  if (part < 1) trial.pictures = thinned(part);
  const double trial_begin = journal_.seconds();
  const std::optional<HeldOut> first = outcome(trial);
  if (!first) return;
  std::string what = layers + ", " + std::to_string(epochs) + (epochs == 1 ? " epoch" : " epochs") +
                     (part < 1 ? " of " + std::to_string(trial.pictures.size()) + " pictures" : "");
  Judged judged{*first, folds_[0].reference};
  const bool promises =
      judged.now.loss() < judged.reference.loss() && judged.now.accuracy() >= judged.reference.accuracy();
  // What a near set can gain is small. For a far one, deeper training promises more than a closer look.
  if (promises && part == 1 && (near_ || depths.size() == 1)) {
    const size_t seen =
        look_closer(trial, judged, epochs * cost.epoch + cost.beside, [&](const Fold& fold) { prepare(fold, epochs); });
    if (journal_.stopped) return;
    if (seen > 1) what += ", in " + std::to_string(seen) + " folds";
  }
  keep_if_better(trial, judged, first->loss(), what, trial_begin, cost.epoch / 0.8);
}

size_t DepthSearch::look_closer(Trial& trial, Judged& judged, double seconds,
                                const std::function<void(const Fold&)>& prepare) {
  const double more = std::max(0.0, kCloserLook * journal_.left() / seconds);
  const size_t affordable = std::min(folds_.size(), 1 + static_cast<size_t>(more));
  for (size_t f = 1; f < affordable; ++f) {
    prepare(folds_[f]);
    const std::optional<HeldOut> now = outcome(trial);
    if (!now) return f;
    judged.now.append(*now);
    judged.reference.append(folds_[f].reference);
  }
  return affordable;
}

void DepthSearch::keep_if_better(const Trial& trial, const Judged& judged, double loss, const std::string& what,
                                 double begin, double epoch_seconds) {
  const auto& [now, reference] = judged;
  if (!is_better_beyond_chance(now, reference, comparisons_)) {
    const MeanDifference gain = mean_difference(reference.losses, now.losses);
    journal_.add(what, now, begin,
                 "no gain beyond chance: head alone " + percent_text(reference.accuracy()) + ", loss " +
                     fixed_text(reference.loss(), 3) + ", less by " + fixed_text(gain.mean, 3) + " ± " +
                     fixed_text(gain.error, 3));
    return;
  }
  if (found_ && loss >= found_->loss)  // the finer measure: both may have few errors
    return journal_.add(what, now, begin, "less than what was found above");
  journal_.add(what, now, begin, "");
  journal_.trials[journal_.chosen].verdict = found_ ? "less than another training" : "training deeper gains";
  journal_.chosen = journal_.trials.size() - 1;
  const int epochs = epochs_for(training_.size());
  found_ = FoundDepth{trial.freeze,
                      in_words(trial.freeze),
                      epochs,
                      trunk_rate_,
                      depth_options(options_, trial.network.graph, trial.network.head, epochs, trunk_rate_),
                      *norms_,
                      now,
                      loss,
                      now.accuracy() - reference.accuracy(),
                      epoch_seconds};
}

/// Trains the trial's network. `batch` after each batch, as TrainListener::batch.
void DepthSearch::train_trial(Trial& trial, const std::function<bool()>& batch) {
  TrainListener inner;
  inner.progress = [&](const std::string&, int64_t done, int64_t total) {
    journal_.progress("trial: " + in_words(trial.freeze), done, total);
  };
  inner.batch = [&](double rate, double loss) { return journal_.goes_on(rate, loss) && batch(); };
  inner.stopped = [&] { return !journal_.goes_on(0, 0); };
  const SampleSource& source = problem_.pictures(form_);
  Graph& graph = trial.network.graph;
  // What validates an epoch chooses nothing here: a batch of it is enough.
  std::vector<int64_t> few = trial.fold->held_out;
  few.resize(std::min(few.size(), static_cast<size_t>(trial.options.batch)));
  if (trial.rows.cache) {
    const RunFeatures features{trial.rows, trial.rows, trial.pictures, few, {0}};
    require_finite(
        train(graph, trial.network.head, source, source, problem_.classes, trial.options, inner, backend_, &features));
  } else {
    const SampleSubset training(source, trial.pictures), validation(source, few);
    require_finite(
        train(graph, trial.network.head, training, validation, problem_.classes, trial.options, inner, backend_));
  }
}

double DepthSearch::seconds_per_step(Trial& trial) {
  const std::vector<int64_t> all = std::move(trial.pictures);
  trial.pictures.assign(all.begin(), all.begin() + kTimedBatches * trial.options.batch);
  trial.options.averaging.recalibrate = false;
  double first = 0, last = 0;
  int64_t steps = 0;
  train_trial(trial, [&] {
    last = journal_.seconds();
    if (steps++ == 0) first = last;  // what is made at the first step is not every step's
    return true;
  });
  trial.pictures = all;
  return steps > 1 ? (last - first) / static_cast<double>(steps - 1) : 0;
}

std::optional<HeldOut> DepthSearch::outcome(Trial& trial) {
  const std::string layers = in_words(trial.freeze);
  const double begin = journal_.seconds();
  bool late = false;
  train_trial(trial, [&] { return !(late = late || journal_.seconds() > trial.deadline); });
  if (journal_.stopped) {
    journal_.note("training " + layers + ": stopped");
    return std::nullopt;
  }
  if (late) {
    journal_.note("training " + layers + ": given up after " + seconds_text(journal_.seconds() - begin) +
                  ", it takes longer than it seemed; a larger " + mention("budget") + " would do");
    return std::nullopt;
  }
  const SampleSource& source = problem_.pictures(form_);
  HeldOut now =
      trial.rows.cache
          ? judge_rows(trial.network.graph, trial.rows, trial.fold->held_out, source, trial.options, backend_)
          : judge_network(trial.network.graph, SampleSubset(source, trial.fold->held_out), options_, backend_);
  if (now.losses.size() == trial.fold->reference.losses.size()) return now;
  journal_.note("training " + layers + ": not judged, some pictures cannot be read again");
  return std::nullopt;
}

std::vector<int64_t> DepthSearch::thinned(double part) const {
  std::map<int, double> owed;
  std::vector<int64_t> some;
  for (size_t i = 0; i < training_.size(); ++i) {
    if (targets_.fold[i] == 0) continue;
    double& debt = owed.try_emplace(targets_.labels[i], 0.999).first->second;
    debt += part;
    if (debt < 1) continue;
    debt -= 1;
    some.push_back(training_[i]);
  }
  return some;
}

}  // namespace graft
