#pragma once

#include "runtime/core/graph.h"

namespace graft {

/// Whether a graph's first input holds whole numbers, as that of a model which takes a picture's bytes does.
bool takes_whole_numbers(const Graph& graph);

/// Name of the node that take_floats puts at the front.
inline constexpr const char* kInputCast = "input:cast";

/// Gives a graph that takes whole numbers an input of float32 in its place, which is cast to what the graph wants;
/// returns true. Others stay as they are.
bool take_floats(Graph& graph);

}  // namespace graft
