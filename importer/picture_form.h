#pragma once

#include "importer/model.h"

namespace graft {

/// Makes of a file's graph what runs over pictures, and notes in `notes` what that changed:
///   - an input N×H×W×C, as TensorFlow has it, becomes N×C×H×W, before a transposition;
///   - outputs begin with the scores, where the file's first are classes or the best few of them;
///   - batch norms in training mode take their running statistics, so that a picture's scores do not depend on which
///     others stand beside it;
///   - preprocessing at the graph's front (a Rescaling, a Normalization) says what pictures must be like, where the
///     metadata do not.
/// A graph that is in that form already stays as it is.
void take_picture_form(OnnxModel& model);

/// The graph with the input that its file had before take_picture_form and take_floats, as it is written.
Graph with_own_input(const Graph& graph);

}  // namespace graft
