#pragma once

#include <optional>
#include <vector>

#include "runtime/core/content_key.h"
#include "runtime/core/graph.h"

namespace graft {

/// What each of the graph's outputs is computed by, as a key: operators, their attributes and the content of constants,
/// whatever nodes and values are called. The extents of inputs do not count. Nothing for an output that an operator
/// without an ONNX form leads to (a loop that stays a loop), or a reduction over the batch, whose rows depend on each
/// other.
std::vector<std::optional<ContentKey>> output_keys(const Graph& graph);

}  // namespace graft
