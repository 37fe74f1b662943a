#pragma once

#include "importer/model.h"

namespace graft {

/// Puts the model's preprocessing in front of its graph: input 0 becomes whole decoded pictures, uint8 N×height×width×3
/// RGB of any size. Crop and antialiased resize are two products with matrices that the graph makes from the picture's
/// size, so that any ONNX runtime computes what graft's own pipeline does, to the rounding of one grey level. The
/// preprocessing moves from Metadata::preprocessing to Metadata::other. Throws Error when the model says none.
void embed_preprocessing(OnnxModel& model);

/// The other way round, for a model that embed_preprocessing made: its graph begins with the network again, and the
/// preprocessing is the metadata's. Leaves alone what has none of it, or not as it was put there.
void take_out_preprocessing(OnnxModel& model);

/// Key in Metadata::other: the preprocessing that the graph itself does.
inline constexpr const char* kEmbeddedPreprocessing = "graft.embedded_preprocessing";

}  // namespace graft
