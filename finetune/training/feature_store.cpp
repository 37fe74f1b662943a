#include "finetune/training/feature_store.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/passes/resolve_control_flow.h"

namespace graft {
namespace {

OpenDims dims_of(const TrainOptions& options) { return {options.batch, options.height, options.width}; }

}  // namespace

FrozenSplit split_for_training(const Graph& graph, const TrainOptions& options, const Backend& backend) {
  return split_for_training(graph, dims_of(options), backend);
}

FrozenSplit split_for_training(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  Graph whole = graph;
  retype(whole, dims, backend);
  return split_frozen(resolve_control_flow(whole, dims, backend));
}

std::vector<SampleRef> FeatureStore::wanted(const TrainOptions& options) const {
  std::vector<SampleRef> order = samples_in_variants(source_.size(), 0, static_cast<uint64_t>(options.cache.views));
  if (!validation_views_)
    std::erase_if(order, [this](const SampleRef& ref) { return ref.variant > 0 && ref.index >= training_; });
  return order;
}

std::string FeatureStore::announce(const std::string& depth, const Graph& graph, const TrainOptions& options,
                                   const Backend& backend) {
  if (depths_.contains(depth)) return "";
  FrozenSplit split = split_for_training(graph, options, backend);
  if (split.trunk.outputs.empty()) return "nothing is frozen";
  if (split.rest.inputs.size() != split.trunk.outputs.size()) return "what is trained reads the pictures themselves";
  size_t others = 0;
  for (const auto& [name, other] : depths_) others += other.bytes;
  const size_t bytes =
      wanted(options).size() * features_per_sample(split.trunk, dims_of(options), backend) * sizeof(float);
  if (options.cache.mode != CacheOptions::Mode::on && others + bytes > options.cache.limit_bytes)
    return "its results would take " + mebibytes(bytes) + (others > 0 ? " beside " + mebibytes(others) : "") + " of " +
           mebibytes(options.cache.limit_bytes);
  remove_dead_code(split.trunk);
  depths_[depth] = {std::move(split.trunk), bytes, {}};
  return "";
}

const FeatureRows& FeatureStore::at(const std::string& depth, const Graph& graph, const TrainOptions& options,
                                    const TrainListener& listener, const Backend& backend) {
  if (const FeatureRows* known = find(depth)) return *known;
  if (options.unfreezing.every > 0)
    throw Error("folds and searches train on the results of a part that stays frozen", "leave it out")
        .about("unfreeze");
  if (options.supervision.teacher)
    throw Error("folds and searches do not go with a teacher", "leave it out").about("teacher");
  if (const std::string why = announce(depth, graph, options, backend); !why.empty())
    throw Error("the frozen part's results have to be kept: " + why,
                "freeze all or last:N; " + mention("cache") + " views:K, for so many views, lifts the limit")
        .about("freeze");
  // One pass through the largest trunk gives the boundaries of all depths that lie within it.
  const Graph* largest = &depths_.at(depth).trunk;
  const auto makes = [](const Graph& trunk, const std::vector<ValueId>& values) {
    const auto producers = trunk.producers();
    return std::all_of(values.begin(), values.end(), [&](ValueId id) {
      return static_cast<size_t>(id) < producers.size() && producers[static_cast<size_t>(id)] >= 0;
    });
  };
  for (const auto& [name, other] : depths_)
    if (!other.rows.cache && other.trunk.nodes.size() > largest->nodes.size() &&
        makes(other.trunk, depths_.at(depth).trunk.outputs))
      largest = &other.trunk;
  Graph trunk = *largest;
  trunk.outputs.clear();
  std::vector<Depth*> computed;
  for (auto& [name, other] : depths_) {
    if (other.rows.cache || !makes(trunk, other.trunk.outputs)) continue;
    computed.push_back(&other);
    for (ValueId id : other.trunk.outputs) {
      const auto at = std::find(trunk.outputs.begin(), trunk.outputs.end(), id);
      other.rows.outputs.push_back(static_cast<size_t>(at - trunk.outputs.begin()));
      if (at == trunk.outputs.end()) trunk.outputs.push_back(id);
    }
  }
  const std::vector<SampleRef> order = wanted(options);
  auto cache = std::make_unique<FeatureCache>();
  cache->fill(trunk, dims_of(options), backend, options.threads, source_, order, static_cast<size_t>(options.batch),
              options.cache.files.get(),
              [&](int64_t done) { listener.pass("features", done, static_cast<int64_t>(order.size())); });
  for (Depth* one : computed) one->rows.cache = cache.get();
  caches_.push_back(std::move(cache));
  return depths_.at(depth).rows;
}

const FeatureRows* FeatureStore::find(const std::string& depth) const {
  const auto it = depths_.find(depth);
  return it == depths_.end() || !it->second.rows.cache ? nullptr : &it->second.rows;
}

std::vector<int64_t> FeatureStore::samples(const FeatureRows& rows, bool all) const {
  std::vector<int64_t> samples = rows.cache->samples();
  if (!all) std::erase_if(samples, [this](int64_t i) { return i >= training_; });
  return samples;
}

RunFeatures FeatureStore::for_run(const FeatureRows& rows) const {
  RunFeatures features{rows, rows, {}, {}};
  for (int64_t i : rows.cache->samples())
    (i < training_ ? features.training_samples : features.validation_samples).push_back(i);
  return features;
}

}  // namespace graft
