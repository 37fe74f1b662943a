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
/// The part of the time left that a depth may take where deeper ones follow: the first is cheap.
constexpr double kFirst = 0.3, kSecond = 0.6;
/// A trial that takes so many times what it was allowed is given up.
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
  for (size_t i = 0; i < training_.size(); ++i) (targets_.fold[i] == 0 ? held_out_ : rest_).push_back(training_[i]);
}

std::optional<FoundDepth> DepthSearch::run(const LinearCandidate& head) {
  head_ = &head;
  const HeldOut all = judged(head, targets_);
  reference_ = judged(head, targets_, 0);
  const auto errors = errors_of(all);
  if (errors < kFewErrors) {
    journal_.note("deeper training is not tried: the head is wrong on " + std::to_string(errors) + " of " +
                  std::to_string(all.right.size()) + " pictures not seen, too few to show a gain");
    return std::nullopt;
  }
  if (held_out_.size() < kFewHeldOut) {
    journal_.note("deeper training is not tried: " + std::to_string(held_out_.size()) +
                  " pictures held out could not show a gain");
    return std::nullopt;
  }
  // A fifth of the layers takes little time and tells a far set from a near one; half of them come within little of
  // all.
  const std::vector<std::string> depths = depths_to_try(layers_);
  comparisons_ = static_cast<int>(depths.size());
  for (size_t i = 0; i < depths.size() && !journal_.stopped; ++i) {
    double allowed = journal_.left() * (i == 0 ? kFirst : kSecond);
    // What would be left for the deeper ones must be of use to the next.
    if (i + 1 == depths.size() || journal_.left() - allowed < cost_of(depths[i + 1]).least()) allowed = journal_.left();
    try_depth(depths[i], allowed);
  }
  return found_;
}

/// Without rows, the part that stays frozen is computed for each batch; batch norms are measured at the end.
DepthSearch::Cost DepthSearch::cost_of(const std::string& freeze) const {
  const double share =
      freeze == "none" ? 1 : static_cast<double>(std::stoll(freeze.substr(5))) / static_cast<double>(layers_);
  const double picture = bank_.seconds_per_picture(), pass = picture * static_cast<double>(rest_.size());
  const bool kept = bank_.boundary(freeze, input_, form_.preprocessing, training_).cache != nullptr;
  Cost cost;
  cost.epoch = (passes_ * share + (kept ? 0 : 1 - share)) * pass;
  cost.beside = (kept ? share : 1) * pass + picture * static_cast<double>(held_out_.size());
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

void DepthSearch::try_depth(const std::string& freeze, double allowed) {
  const std::string layers = in_words(freeze);
  try {
    try_within(freeze, allowed);
  } catch (const Error& error) {
    if (journal_.listener_threw() || error.code() == ErrorCode::internal) throw;
    journal_.note("training " + layers + ": not possible: " + error.what());
  }
}

void DepthSearch::try_within(const std::string& freeze, double allowed) {
  const std::string layers = in_words(freeze);
  const double begin = journal_.seconds();
  const auto room = [&] { return allowed - (journal_.seconds() - begin - measuring_); };
  Cost cost = cost_of(freeze);
  const int wanted = epochs_for(rest_.size());
  const auto too_little = [&] {
    if (room() >= cost.least()) return false;
    journal_.note("training " + layers + ": not tried, an epoch takes about " + seconds_text(cost.epoch) + " of " +
                  seconds_text(std::max(0.0, room())) + " that are left for it; " + mention("budget") + " " +
                  std::to_string(static_cast<int>(
                      std::ceil(journal_.budget - journal_.left() + 2 * (2 * cost.epoch + cost.beside)))) +
                  " would do");
    return true;
  };
  measuring_ = 0;
  if (too_little()) return;
  Trial trial{freeze, network(freeze), bank_.boundary(freeze, input_, form_.preprocessing, training_), rest_, {}, 0};
  if (trial.rows.cache) {
    trial.network.graph = split_for_training(trial.network.graph, options_, backend_).rest;
    remove_dead_code(trial.network.graph);
  } else if (freeze != "none") {
    journal_.note("training " + layers + ": what they read takes too much memory to be kept; it is computed each time");
  }
  const Graph start = trial.network.graph;
  const auto prepare = [&](int epochs) {
    trial.network.graph = start.independent_copy();
    set_head(trial.network.graph, trial.network.head, head_->without_fold(0));
    trial.options = depth_options(options_, trial.network.graph, trial.network.head, epochs);
    trial.options.checkpoint = {};
    trial.options.cache.mode = trial.rows.cache ? CacheOptions::Mode::automatic : CacheOptions::Mode::off;
    trial.deadline = begin + measuring_ + kOverrun * allowed;
  };
  if (room() - cost.beside < wanted * cost.epoch * kManyPasses / passes_ &&
      static_cast<int64_t>(rest_.size()) >= kTimedBatches * options_.batch) {
    prepare(1);
    const double took = seconds_per_step(trial);
    if (took > 0) {
      const double epoch = took * static_cast<double>(rest_.size()) / static_cast<double>(trial.options.batch);
      passes_ *= epoch / cost.epoch;
      cost.epoch = epoch;
    }
    if (too_little()) return;
  }
  const double epochs_possible = (room() - cost.beside) / cost.epoch;
  const int epochs = std::clamp(static_cast<int>(epochs_possible), 1, wanted);
  if (epochs_possible < 1) trial.pictures = thinned(epochs_possible);
  prepare(epochs);
  const std::optional<HeldOut> now = outcome(trial);
  if (!now) return;
  const std::string what =
      layers + ", " + std::to_string(epochs) + (epochs == 1 ? " epoch" : " epochs") +
      (trial.pictures.size() < rest_.size() ? " of " + std::to_string(trial.pictures.size()) + " pictures" : "");
  keep_if_better(trial, *now, what, begin, cost.epoch / 0.8);
}

void DepthSearch::keep_if_better(const Trial& trial, const HeldOut& now, const std::string& what, double begin,
                                 double epoch_seconds) {
  const bool better = is_better_beyond_chance(now, reference_, comparisons_);
  journal_.add(what, now, begin,
               better ? ""
                      : "no gain beyond chance: head alone " + percent_text(reference_.accuracy()) + ", loss " +
                            fixed_text(reference_.loss(), 3));
  if (!better) return;
  if (found_ && now.loss() >= found_->judged.loss()) {  // the finer measure: both may have few errors
    journal_.trials.back().verdict = "less than the depth above";
    return;
  }
  journal_.trials[journal_.chosen].verdict = found_ ? "less than another depth" : "training deeper gains";
  journal_.chosen = journal_.trials.size() - 1;
  const int epochs = epochs_for(training_.size());
  found_ = FoundDepth{trial.freeze,
                      in_words(trial.freeze),
                      epochs,
                      depth_options(options_, trial.network.graph, trial.network.head, epochs),
                      *norms_,
                      now,
                      now.accuracy() - reference_.accuracy(),
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
  std::vector<int64_t> few = held_out_;
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
  HeldOut now = trial.rows.cache
                    ? judge_rows(trial.network.graph, trial.rows, held_out_, source, trial.options, backend_)
                    : judge_network(trial.network.graph, SampleSubset(source, held_out_), options_, backend_);
  if (now.losses.size() == reference_.losses.size()) return now;
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
