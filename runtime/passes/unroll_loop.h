#pragma once

#include <functional>

#include "runtime/core/graph.h"

namespace graft {

/// The graph into which a loop is unrolled, as the pass that makes it sees it.
struct UnrolledGraph {
  Graph& graph;                                   // gets the values of the copies; its nodes are left alone
  std::function<void(const Node&)> append;        // takes each node of a copy, in order, and types what it makes
  std::function<const Tensor*(ValueId)> content;  // null where it is not known yet; Error where nothing makes it
  std::function<void()> begin_iteration;          // may throw Error: enough
};

/// Appends as many copies of the body of a node's operator, a Loop, as it runs, and what makes the node's outputs from
/// theirs. Throws Error where the trip count or a condition depends on the data.
void unroll_loop(const Node& node, const UnrolledGraph& to);

}  // namespace graft
