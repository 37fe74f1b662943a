#pragma once

#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// For each node of a graph the transformer block that it is part of, counted from 0 in the order of the network; -1
/// outside of blocks. A block begins with a residual branch that holds attention (two products of activations) and
/// takes in the residual branches that follow on it at once, up to the feed-forward one. Not seen: attention whose
/// branch reads other tokens besides its residual's (class attention, cross-attention), and branches behind a norm that
/// is spelled out in the path between them.
std::vector<int> transformer_blocks(const Graph& graph);

}  // namespace graft
