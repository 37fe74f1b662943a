#include "finetune/features/feature_store.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/passes/resolve_control_flow.h"

namespace graft {
namespace {

OpenDims dims_of(const TrainOptions& options) { return {options.batch, options.height, options.width}; }

}  // namespace

FrozenSplit split_for_training(const Graph& graph, const TrainOptions& options, const Backend& backend) {
  Graph whole = graph;
  retype(whole, dims_of(options), backend);
  return split_frozen(resolve_control_flow(whole, dims_of(options), backend));
}

std::vector<SampleRef> FeatureStore::wanted(const TrainOptions& options) const {
  std::vector<SampleRef> order = samples_in_variants(source_.size(), 0, static_cast<uint64_t>(options.cache.views));
  if (!validation_views_)
    std::erase_if(order, [this](const SampleRef& ref) { return ref.variant > 0 && ref.index >= training_; });
  return order;
}

std::string FeatureStore::obstacle(const FrozenSplit& split, const TrainOptions& options,
                                   const Backend& backend) const {
  if (split.trunk.outputs.empty()) return "nothing is frozen";
  if (split.rest.inputs.size() != split.trunk.outputs.size()) return "what is trained reads the pictures themselves";
  size_t kept = 0;
  for (const auto& [depth, cache] : caches_) kept += cache->bytes();
  const size_t bytes =
      wanted(options).size() * features_per_sample(split.trunk, dims_of(options), backend) * sizeof(float);
  if (options.cache.mode == CacheOptions::Mode::on || kept + bytes <= options.cache.limit_bytes) return "";
  return "its results would take " + mebibytes(bytes) + (kept > 0 ? " beside " + mebibytes(kept) : "") + " of " +
         mebibytes(options.cache.limit_bytes);
}

std::string FeatureStore::obstacle(const Graph& graph, const TrainOptions& options, const Backend& backend) const {
  return obstacle(split_for_training(graph, options, backend), options, backend);
}

const FeatureCache& FeatureStore::at(const std::string& depth, const Graph& graph, const TrainOptions& options,
                                     const TrainListener& listener, const Backend& backend) {
  if (const FeatureCache* known = find(depth)) return *known;
  if (options.unfreezing.every > 0)
    throw Error("folds and searches train on the results of a part that stays frozen", "leave it out")
        .about("unfreeze");
  if (options.supervision.teacher)
    throw Error("folds and searches do not go with a teacher", "leave it out").about("teacher");
  const FrozenSplit split = split_for_training(graph, options, backend);
  if (const std::string why = obstacle(split, options, backend); !why.empty())
    throw Error("the frozen part's results have to be kept: " + why,
                "use all or last:N; " + mention("cache") + " on lifts the limit")
        .about("freeze");
  const std::vector<SampleRef> order = wanted(options);
  auto filled = std::make_unique<FeatureCache>();
  filled->fill(split.trunk, dims_of(options), backend, options.threads, source_, order,
               static_cast<size_t>(options.batch), [&](int64_t done) {
                 if (listener.progress) listener.progress("features", done, static_cast<int64_t>(order.size()));
               });
  return *(caches_[depth] = std::move(filled));
}

const FeatureCache* FeatureStore::find(const std::string& depth) const {
  const auto it = caches_.find(depth);
  return it == caches_.end() ? nullptr : it->second.get();
}

std::vector<int64_t> FeatureStore::samples(const FeatureCache& cache, bool all) const {
  std::vector<int64_t> samples = cache.samples();
  if (!all) std::erase_if(samples, [this](int64_t i) { return i >= training_; });
  return samples;
}

RunFeatures FeatureStore::for_run(const FeatureCache& cache) const {
  RunFeatures features{&cache, &cache, {}, {}};
  for (int64_t i : cache.samples())
    (i < training_ ? features.training_samples : features.validation_samples).push_back(i);
  return features;
}

}  // namespace graft
