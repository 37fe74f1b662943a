#pragma once

#include "runtime/passes/passes.h"

namespace graft {

/// A copy in which each operator that chooses between its inputs (ONNX If) has made way for those that it chooses at
/// these extents; the inputs stay open, and what follows from them has the types of these extents. Training works on
/// such a copy: a frozen part and what is trained above it are split there, which a choice would reach across. Throws
/// Error where the graph does not take these extents.
Graph take_branches(const Graph& graph, const OpenDims& dims, const Backend& backend);

}  // namespace graft
