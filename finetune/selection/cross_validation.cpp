#include "finetune/selection/cross_validation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "finetune/data/row_stream.h"
#include "finetune/features/feature_cache.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/passes/resolve_control_flow.h"

namespace graft {
namespace {

/// Cached results of a frozen part, as the pictures of the part behind it.
class CachedSamples final : public SampleSource {
 public:
  struct Caches {
    FeatureCache plain, augmented;
    uint64_t views = 1;
  };
  CachedSamples(const Caches& caches, const SampleSource& source, std::vector<int64_t> indices)
      : caches_(caches), source_(source), indices_(std::move(indices)) {}
  int64_t size() const override { return static_cast<int64_t>(indices_.size()); }
  int label(int64_t index) const override { return source_.label(indices_[static_cast<size_t>(index)]); }
  std::span<const float> target(int64_t index) const override {
    return source_.target(indices_[static_cast<size_t>(index)]);
  }
  std::unique_ptr<SampleStream> stream(std::vector<SampleRef> order, size_t batch) const override {
    return std::make_unique<RowStream>(std::move(order), batch, caches_.plain.width(0),
                                       [this](const SampleRef& ref, float* to) {
                                         copy(ref, to);
                                         return std::string();
                                       });
  }

 private:
  void copy(const SampleRef& ref, float* to) const {
    const int64_t index = indices_[static_cast<size_t>(ref.index)];
    if (ref.variant == 0) return caches_.plain.copy(0, {index, 0}, to);
    caches_.augmented.copy(0, {index, 1 + (ref.variant - 1 + static_cast<uint64_t>(index)) % caches_.views}, to);
  }
  const Caches& caches_;
  const SampleSource& source_;
  std::vector<int64_t> indices_;
};

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

std::vector<int> assign_folds(const SampleSource& source, int folds, uint64_t seed) {
  std::map<int, std::vector<int64_t>> by_class;
  for (int64_t i = 0; i < source.size(); ++i) by_class[source.label(i)].push_back(i);
  std::vector<int> fold(static_cast<size_t>(source.size()));
  int next = 0;  // goes on from class to class, so that the parts stay equal
  for (auto& [label, samples] : by_class) {
    Random random(mix(mix(seed, 0x666f6c64), static_cast<uint64_t>(label)));
    for (size_t i = samples.size(); i > 1; --i) std::swap(samples[i - 1], samples[random.below(i)]);
    for (int64_t s : samples) fold[static_cast<size_t>(s)] = next++ % folds;
  }
  return fold;
}

struct FoldedFeatures::Parts {
  const SampleSource& source;
  CachedSamples::Caches caches;
  std::vector<int> fold;
  int folds;
};

FoldedFeatures::FoldedFeatures(const Graph& graph, const SampleSource& source, int folds, const TrainOptions& options,
                               const TrainListener& listener, const Backend& backend) {
  if (folds < 2 || folds > source.size())
    throw Error(std::to_string(folds) + " parts of " + std::to_string(source.size()) + " pictures",
                "use 2 to that many")
        .about("folds");
  if (options.unfreezing.every > 0)
    throw Error("cross-validation trains on the results of a part that stays frozen",
                "leave " + mention("unfreeze") + " out");
  if (options.supervision.teacher) throw Error("cross-validation does not go with a teacher");
  parts_ = std::make_unique<Parts>(Parts{source, {}, assign_folds(source, folds, options.seed), folds});
  Graph whole = graph;
  const OpenDims dims{options.batch, options.height, options.width};
  retype(whole, dims, backend);
  const FrozenSplit split = split_frozen(resolve_control_flow(whole, dims, backend));
  if (split.trunk.outputs.size() != 1 || split.rest.inputs.size() != 1)
    throw Error("cross-validation needs a frozen part that ends in one place", "use all, or last:N").about("freeze");
  CachedSamples::Caches& caches = parts_->caches;
  caches.views = static_cast<uint64_t>(options.cache.views);
  std::vector<uint64_t> views;
  for (uint64_t v = 1; v <= caches.views; ++v) views.push_back(v);
  const auto fill = [&](FeatureCache& cache, const std::vector<uint64_t>& variants) {
    const int64_t total = source.size() * static_cast<int64_t>(variants.size());
    cache.fill(split.trunk, dims, backend, options.threads, source, variants, static_cast<size_t>(options.batch),
               [&](int64_t done) {
                 if (listener.progress) listener.progress("features for cross-validation", done, total);
               });
  };
  fill(caches.plain, {0});
  fill(caches.augmented, views);
}

FoldedFeatures::~FoldedFeatures() = default;

FoldsResult FoldedFeatures::run(const Graph& graph, const std::vector<std::string>& head, int classes,
                                const TrainOptions& given, const TrainListener& listener,
                                const Backend& backend) const {
  const auto start = std::chrono::steady_clock::now();
  TrainOptions options = given;
  options.checkpoint.path.clear();
  options.checkpoint.resume = false;
  Graph whole = graph;
  const OpenDims dims{options.batch, options.height, options.width};
  retype(whole, dims, backend);
  const FrozenSplit split = split_frozen(resolve_control_flow(whole, dims, backend));
  bool ended = false;
  TrainListener inner;
  inner.batch = [&](double rate, double loss) { return !(ended = listener.batch && !listener.batch(rate, loss)); };
  FoldsResult result;
  std::vector<std::vector<EpochReport>> histories;
  for (int f = 0; f < parts_->folds; ++f) {
    std::vector<int64_t> training, validation;
    const auto& readable = parts_->caches.augmented.samples();
    for (int64_t i : parts_->caches.plain.samples()) {
      if (!std::binary_search(readable.begin(), readable.end(), i)) continue;
      (parts_->fold[static_cast<size_t>(i)] == f ? validation : training).push_back(i);
    }
    Graph rest = split.rest.independent_copy();
    const CachedSamples train_part(parts_->caches, parts_->source, training),
        validation_part(parts_->caches, parts_->source, validation);
    const TrainResult r = train(rest, head, train_part, validation_part, classes, options, inner, backend);
    if (ended) break;
    histories.push_back(r.history);
    result.scores.push_back(r.best_val_score);
    if (listener.note)
      listener.note("fold " + std::to_string(f + 1) + "/" + std::to_string(parts_->folds) + ": " +
                    score_names(options.task).first + " " + std::to_string(r.best_val_score));
  }
  finish(histories, result);
  const auto n = static_cast<double>(result.scores.size());
  for (double s : result.scores) result.mean += s / n;
  for (double s : result.scores) result.deviation += (s - result.mean) * (s - result.mean) / (n - 1);
  result.deviation = n > 1 ? std::sqrt(result.deviation) : 0;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

FoldsResult cross_validate(const Graph& graph, const std::vector<std::string>& head, const SampleSource& source,
                           int classes, int folds, const TrainOptions& options, const TrainListener& listener,
                           const Backend& backend) {
  const auto start = std::chrono::steady_clock::now();
  FoldsResult result = FoldedFeatures(graph, source, folds, options, listener, backend)
                           .run(graph, head, classes, options, listener, backend);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace graft
