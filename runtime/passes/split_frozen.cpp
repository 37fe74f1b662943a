#include <algorithm>

#include "runtime/core/users.h"
#include "runtime/passes/passes.h"

namespace graft {

FrozenSplit split_frozen(const Graph& graph) {
  std::vector<bool> reached(graph.value_count(), false);
  for (size_t id = 0; id < graph.value_count(); ++id) reached[id] = graph.value(static_cast<ValueId>(id)).trainable;
  std::vector<bool> in_rest(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId id : graph.nodes[i].inputs)
      in_rest[i] = in_rest[i] || (id != kNoValue && reached[static_cast<size_t>(id)]);
    if (in_rest[i])
      for (ValueId id : graph.nodes[i].outputs) reached[static_cast<size_t>(id)] = true;
  }

  const std::vector<bool> follows_input = values_following_inputs(graph);
  // Extents, pads and indices, what is made of weights alone, and what has several rows for a picture (windows,
  // patches) has no row for each: the rest works it out again.
  std::vector<bool> in_both(graph.nodes.size(), false);
  const auto producer = graph.producers();
  const auto bring_along = [&](ValueId id) {
    const int source = id == kNoValue ? -1 : producer[static_cast<size_t>(id)];
    if (source < 0 || in_rest[static_cast<size_t>(source)]) return;
    const DType dtype = graph.value(id).dtype;
    const Shape& shape = graph.value(id).shape;
    const bool is_row = !shape.empty() && (shape[0] == kOpenDim || shape[0] == 1);  // of one picture, as it is typed
    in_both[static_cast<size_t>(source)] = in_both[static_cast<size_t>(source)] ||
                                           !follows_input[static_cast<size_t>(id)] || !is_row || dtype == DType::i64 ||
                                           dtype == DType::i32 || dtype == DType::boolean;
  };
  for (size_t i = graph.nodes.size(); i-- > 0;)
    if (in_rest[i] || in_both[i])
      for (ValueId id : graph.nodes[i].inputs) bring_along(id);

  FrozenSplit split{graph, graph};
  split.trunk.nodes.clear();
  split.rest.nodes.clear();
  split.trunk.outputs.clear();
  std::vector<ValueId> boundary;
  const auto cross = [&](ValueId id) {
    const int source = producer[static_cast<size_t>(id)];
    const bool from_trunk =
        source >= 0 && !in_rest[static_cast<size_t>(source)] && !in_both[static_cast<size_t>(source)];
    if (from_trunk && std::find(boundary.begin(), boundary.end(), id) == boundary.end()) boundary.push_back(id);
  };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!in_rest[i]) split.trunk.nodes.push_back(graph.nodes[i]);
    if (!in_rest[i] && !in_both[i]) continue;
    split.rest.nodes.push_back(graph.nodes[i]);
    for (ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue) cross(id);
  }
  for (ValueId id : graph.outputs) cross(id);
  split.trunk.outputs = boundary;
  split.rest.inputs = boundary;
  // The two parts may run at different batch sizes: the trunk fills a cache that the rest reads in its own batches.
  for (ValueId id : boundary)
    if (!split.rest.value(id).shape.empty()) split.rest.value(id).shape[0] = kOpenDim;
  for (ValueId id : graph.inputs) {
    bool read = false;
    for (const Node& node : split.rest.nodes)
      read = read || std::find(node.inputs.begin(), node.inputs.end(), id) != node.inputs.end();
    if (read) split.rest.inputs.push_back(id);
  }
  return split;
}

}  // namespace graft
