#pragma once

#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// For each node of a graph the transformer block that it is part of, counted from 0 in the order of the network; -1
/// outside of blocks. A block begins with a residual branch that multiplies activations with each other (attention of
/// whatever kind) and takes in up to two residual branches that follow on it at once (feed-forward, local
/// convolutions).
std::vector<int> transformer_blocks(const Graph& graph);

}  // namespace graft
