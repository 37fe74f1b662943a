#include "finetune/selection/cross_validation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "finetune/metrics/spread.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// Finds the epoch that is best on average, among those that all folds reached.
void finish(const std::vector<std::vector<EpochReport>>& histories, FoldsResult& result) {
  size_t epochs = SIZE_MAX, best = 0;
  for (const auto& h : histories) epochs = std::min(epochs, h.size());
  if (histories.empty() || epochs == 0) return;
  const auto total = [&](size_t epoch) {
    double sum = 0;
    for (const auto& h : histories) sum += h[epoch].val_score;
    return sum;
  };
  for (size_t e = 1; e < epochs; ++e)
    if (total(e) > total(best)) best = e;
  for (const auto& h : histories) {
    result.best_epoch_scores.push_back(h[best].val_score);
    result.best_epoch_losses.push_back(h[best].val_loss);
  }
}

}  // namespace

std::vector<int> assign_folds(const SampleSource& source, const std::vector<int64_t>& samples, int folds,
                              uint64_t seed) {
  std::map<int, std::vector<size_t>> by_class;
  for (size_t i = 0; i < samples.size(); ++i) by_class[source.label(samples[i])].push_back(i);
  std::vector<int> fold(samples.size());
  int next = 0;  // goes on from class to class, so that the parts stay equal
  for (auto& [label, places] : by_class) {
    Random random(mix(mix(seed, 0x666f6c64), static_cast<uint64_t>(label)));
    for (size_t i = places.size(); i > 1; --i) std::swap(places[i - 1], places[random.below(i)]);
    for (size_t place : places) fold[place] = next++ % folds;
  }
  return fold;
}

FoldsResult cross_validate(const Graph& graph, const std::vector<std::string>& head, FeatureStore& store,
                           const std::string& depth, const FoldPlan& plan, int classes, const TrainOptions& given,
                           const TrainListener& listener, const Backend& backend) {
  const int64_t pictures = plan.all ? store.source().size() : store.training();
  if (plan.folds < 2 || plan.folds > pictures)
    throw Error(std::to_string(plan.folds) + " parts of " + std::to_string(pictures) + " pictures",
                "use 2 to that many")
        .about("folds");
  const FeatureRows& rows = store.at(depth, graph, given, listener, backend);
  const auto start = std::chrono::steady_clock::now();
  TrainOptions options = given;
  options.checkpoint.path.clear();
  options.checkpoint.resume = false;
  Graph behind = split_for_training(graph, options, backend).rest;
  remove_dead_code(behind);  // the frozen part's weights need no copies
  const std::vector<int64_t> samples = store.samples(rows, plan.all);
  const std::vector<int> fold = assign_folds(store.source(), samples, plan.folds, options.seed);
  bool ended = false;
  TrainListener inner;
  inner.batch = [&](double rate, double loss) { return !(ended = listener.batch && !listener.batch(rate, loss)); };
  FoldsResult result;
  std::vector<std::vector<EpochReport>> histories;
  for (int f = 0; f < plan.folds; ++f) {
    RunFeatures features{rows, rows, {}, {}};
    for (size_t i = 0; i < samples.size(); ++i)
      (fold[i] == f ? features.validation_samples : features.training_samples).push_back(samples[i]);
    Graph rest = behind.independent_copy();
    const TrainResult r =
        train(rest, head, store.source(), store.source(), classes, options, inner, backend, &features);
    require_finite(r);
    if (ended) break;
    histories.push_back(r.history);
    result.scores.push_back(r.best_val_score);
    if (listener.note)
      listener.note("fold " + std::to_string(f + 1) + "/" + std::to_string(plan.folds) + ": " +
                    score_names(options.task).first + " " + std::to_string(r.best_val_score));
  }
  finish(histories, result);
  const Spread spread = spread_of(result.scores);
  result.mean = spread.mean;
  result.deviation = spread.deviation;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace graft
