#pragma once

#include "runtime/core/graph.h"

namespace graft {

/// Appends `other` to `graph` so that both read input 0 of `graph`, and makes output 0 of `other` the last output.
/// Constants are shared, and frozen. Throws Error when the inputs do not agree.
void append_network(Graph& graph, const Graph& other);

}  // namespace graft
