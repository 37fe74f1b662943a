#pragma once

#include "runtime/passes/passes.h"

namespace graft {

/// A copy in which each branch (ONNX If) has made way for the results that it chooses at these extents, and each loop
/// (ONNX Loop) for as many copies of its body as it runs; the inputs stay open, and what follows from them has the
/// types of these extents. Training works on such a copy: a frozen part and what is trained above it are split there,
/// which a choice would reach across. Throws Error where the graph does not take these extents.
Graph resolve_control_flow(const Graph& graph, const OpenDims& dims, const Backend& backend);

}  // namespace graft
