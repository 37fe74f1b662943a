#include "apps/library/head_split.h"

#include <vector>

#include "finetune/heads/ending.h"
#include "finetune/training/feature_store.h"

namespace graft {
namespace {

void unmark(Graph& graph) {
  for (size_t id = 0; id < graph.value_count(); ++id) graph.value(static_cast<ValueId>(id)).trainable = false;
}

/// Marks what a classifier that reads `features` multiplies by, and everything behind it, as if it were to train.
void mark_head(Graph& graph, const Ending& ending) {
  unmark(graph);
  std::vector<bool> follows(graph.value_count(), false);
  for (const auto& classifier : ending.classifiers) follows[static_cast<size_t>(classifier.features)] = true;
  for (const Node& node : graph.nodes) {
    bool reads = false;
    for (const ValueId id : node.inputs) reads = reads || (id != kNoValue && follows[static_cast<size_t>(id)]);
    if (!reads) continue;
    for (const ValueId id : node.outputs) follows[static_cast<size_t>(id)] = true;
    for (const ValueId id : node.inputs)
      if (id != kNoValue && graph.value(id).constant && graph.value(id).dtype == DType::f32)
        graph.value(id).trainable = true;
  }
}

}  // namespace

std::optional<HeadSplit> split_trained(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  FrozenSplit split = split_for_training(graph, dims, backend);
  if (split.trunk.outputs.size() != 1 || split.rest.inputs != split.trunk.outputs) return std::nullopt;
  remove_dead_code(split.trunk);
  unmark(split.trunk);
  unmark(split.rest);
  return HeadSplit{std::move(split.trunk), std::move(split.rest)};
}

std::optional<HeadSplit> split_head(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  Graph marked = graph;
  marked.outputs.resize(1);
  const Ending ending = find_ending(marked, marked.outputs[0]);
  if (ending.classifiers.empty()) return std::nullopt;
  mark_head(marked, ending);
  return split_trained(marked, dims, backend);
}

}  // namespace graft
