#pragma once

#include "runtime/core/graph.h"

namespace graft {

/// Where an output of one dimension or none is what a reshape made of a value with a row for each picture (squeeze() on
/// N×1, or on the 1×10 of a model that knows one picture), a matrix with a row for each picture takes its place, and
/// what stands between is done to its rows. Values have the types of one picture, or an open batch. Others stay as they
/// are.
void give_outputs_rows(Graph& graph);

}  // namespace graft
