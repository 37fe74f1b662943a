#include "finetune/selection/recipe_runs.h"

#include <chrono>

#include "finetune/data/sample_subset.h"
#include "finetune/metrics/spread.h"
#include "finetune/selection/cross_validation.h"
#include "finetune/selection/depth_training.h"
#include "finetune/selection/recipe_search.h"
#include "finetune/selection/search_journal.h"
#include "finetune/selection/watched_listener.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// One of several runs. An error that ends it is told and ends no other; nothing comes of it then.
HeldOut one_run(const RecipeProblem& problem, FeatureBank& bank, const TrainOptions& options, const std::string& name,
                const TrainListener& listener, const Backend& backend) {
  const WatchedListener watched(listener);
  const TrainListener& functions = watched.functions();
  TrainListener inner;
  inner.progress = [&](const std::string& phase, int64_t done, int64_t total) {
    if (functions.progress) functions.progress(name + ": " + phase, done, total);
  };
  inner.batch = functions.batch;
  const auto note = [&](const std::string& text) {
    if (functions.note) functions.note(name + ": " + text);
  };
  try {
    const HeldOut judged = run_recipe(problem, bank, options, inner, backend);
    if (!judged.losses.empty()) note(percent_text(judged.accuracy()));
    return judged;
  } catch (const Error& error) {
    if (watched.threw() || error.code() == ErrorCode::internal) throw;
    note(std::string("left out: ") + error.what());
    return {};
  }
}

/// Asked before a run, which may train nothing and ask no more.
bool goes_on(const TrainListener& listener) { return !listener.batch || listener.batch(0, 0); }

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

HeldOut run_recipe(const RecipeProblem& problem, FeatureBank& bank, const TrainOptions& options,
                   const TrainListener& listener, const Backend& backend) {
  RecipeChoice choice;
  try {
    choice = choose_recipe(problem, bank, options, listener, backend);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::cancelled) throw;
    return {};
  }
  if (choice.stopped) return {};
  const SampleSource& source = problem.pictures(choice.form);
  HeldOut judged;
  if (choice.report.epochs == 0) {
    const PictureForm plain{choice.form.preprocessing};
    const std::vector<int64_t> samples = bank.readable(plain, problem.validation, 0, 0);
    const std::vector<float> scores = scores_of(choice.head, bank.view(plain, samples, 0, choice.input));
    const auto classes = static_cast<size_t>(problem.classes);
    for (size_t i = 0; i < samples.size(); ++i)
      judged.add({scores.data() + i * classes, classes}, source.label(samples[i]));
    return judged;
  }
  RecipeNetwork network = problem.network(choice.report.freeze, choice.input);
  network.graph = network.graph.independent_copy();
  insert_norms(network.graph, choice.norms);
  TrainOptions training = choice.training;
  training.checkpoint = {};
  bool stopped = false;
  TrainListener inner;
  inner.progress = listener.progress;
  inner.batch = [&](double rate, double loss) {
    stopped = stopped || (listener.batch && !listener.batch(rate, loss));
    return !stopped;
  };
  inner.stopped = [&] { return !inner.batch(0, 0); };
  const SampleSubset seen(source, problem.training), unseen(source, problem.validation);
  require_finite(train(network.graph, network.head, seen, unseen, problem.classes, training, inner, backend));
  if (stopped) return {};
  // The score that is told counts pictures.
  return judge_network(network.graph, unseen, training, backend).unweighted();
}

FoldsResult cross_validate_recipe(const RecipeProblem& problem, FeatureBank& bank, int folds,
                                  const TrainOptions& options, const TrainListener& listener, const Backend& backend) {
  std::vector<int64_t> all = problem.training;
  all.insert(all.end(), problem.validation.begin(), problem.validation.end());
  std::erase_if(all, [&](int64_t i) { return bank.failures().contains(i); });
  if (folds < 2 || static_cast<size_t>(folds) > all.size())
    throw Error(std::to_string(folds) + " parts of " + std::to_string(all.size()) + " pictures", "use 2 to that many")
        .about("folds");
  const auto start = std::chrono::steady_clock::now();
  const std::vector<int> fold = assign_folds(problem.pictures({}), all, folds, options.seed);
  FoldsResult result;
  for (int f = 0; f < folds && goes_on(listener); ++f) {
    RecipeProblem part = problem;
    part.training.clear();
    part.validation.clear();
    for (size_t i = 0; i < all.size(); ++i) (fold[i] == f ? part.validation : part.training).push_back(all[i]);
    const std::string name = "fold " + std::to_string(f + 1) + "/" + std::to_string(folds);
    const HeldOut judged = one_run(part, bank, options, name, listener, backend);
    if (judged.losses.empty()) continue;
    result.scores.push_back(judged.accuracy());
    result.best_epoch_losses.push_back(judged.loss());
  }
  result.best_epoch_scores = result.scores;
  const Spread spread = spread_of(result.scores);
  result.mean = spread.mean;
  result.deviation = spread.deviation;
  result.seconds = seconds_since(start);
  return result;
}

SeedsResult repeat_recipe(const RecipeProblem& problem, FeatureBank& bank, int count, const TrainOptions& options,
                          const TrainListener& listener, const Backend& backend) {
  const auto start = std::chrono::steady_clock::now();
  SeedsResult result;
  for (int i = 1; i <= count && goes_on(listener); ++i) {
    TrainOptions seeded = options;
    seeded.seed = options.seed + static_cast<uint64_t>(i);
    const std::string name = "seed " + std::to_string(seeded.seed);
    const HeldOut judged = one_run(problem, bank, seeded, name, listener, backend);
    bank.forget(seeded.seed);
    if (!judged.losses.empty()) result.scores.push_back(judged.accuracy());
  }
  result.seconds = seconds_since(start);
  return result;
}

}  // namespace graft
