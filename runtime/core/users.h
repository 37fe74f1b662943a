#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// Who makes and who reads each value of a graph, counted once for a pass that asks often. A pass that changes the
/// graph says what it changed; values that came later have neither producer nor readers here.
class Users {
 public:
  explicit Users(const Graph& graph) : producer_(graph.producers()), readers_(graph.consumers()) {
    is_output_.resize(graph.value_count(), false);
    for (ValueId id : graph.outputs) is_output_[static_cast<size_t>(id)] = true;
  }

  /// Index of the node that makes the value, or -1 for inputs and constants.
  int producer(ValueId id) const { return knows(id) ? producer_[static_cast<size_t>(id)] : -1; }
  /// Indices of the nodes that read the value.
  std::span<const int> readers(ValueId id) const {
    return knows(id) ? std::span<const int>(readers_[static_cast<size_t>(id)]) : std::span<const int>();
  }
  /// The one node that reads the value; -1 where there is none or several do, or the graph gives the value out.
  int only_reader(ValueId id) const {
    const auto list = readers(id);
    return list.size() == 1 && !is_output_[static_cast<size_t>(id)] ? list[0] : -1;
  }

  /// The node makes this value from now on.
  void set_producer(ValueId id, size_t node) { producer_[static_cast<size_t>(id)] = static_cast<int>(node); }

 private:
  bool knows(ValueId id) const { return id != kNoValue && static_cast<size_t>(id) < producer_.size(); }
  std::vector<int> producer_;
  std::vector<std::vector<int>> readers_;
  std::vector<bool> is_output_;
};

/// For each value whether it is one of `from` or depends on one of them, be it on its extents alone.
inline std::vector<bool> values_following(const Graph& graph, std::span<const ValueId> from) {
  std::vector<bool> follows(graph.value_count(), false);
  for (ValueId id : from) follows[static_cast<size_t>(id)] = true;
  for (const Node& node : graph.nodes) {
    bool any = false;
    for (ValueId id : node.inputs) any = any || (id != kNoValue && follows[static_cast<size_t>(id)]);
    if (!any) continue;
    for (ValueId id : node.outputs) follows[static_cast<size_t>(id)] = true;
  }
  return follows;
}

/// Of the graph's inputs: what does not follow them is made of constants.
inline std::vector<bool> values_following_inputs(const Graph& graph) { return values_following(graph, graph.inputs); }

}  // namespace graft
