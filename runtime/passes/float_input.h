#pragma once

#include "runtime/core/graph.h"

namespace graft {

/// Gives a graph whose first input holds whole numbers (a model that takes a picture's bytes) one of float32 in its
/// place, which is cast to what the graph wants; returns true. Others stay as they are.
bool take_floats(Graph& graph);

}  // namespace graft
