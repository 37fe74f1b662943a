#pragma once

#include "runtime/core/graph.h"

namespace graft {

/// Gives batch norms in training mode (BatchNorm::in_training) the statistics of their own input where those of nothing
/// else could be meant: of weights (weight standardisation), and of maps that a Reshape put side by side (instance
/// statistics).
void take_own_statistics(Graph& graph);

/// The same for all of them, as ONNX has it: a picture's results then depend on the others of its batch.
Graph with_batch_statistics(const Graph& graph);

}  // namespace graft
