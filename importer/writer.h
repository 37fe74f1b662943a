#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "importer/model.h"

namespace graft {

struct WriteOptions {
  /// Weights as float16, each followed by a Cast: half the file, computed in float32 as before. Vectors (biases, norms)
  /// and small tables stay float32.
  bool half_weights = false;
  /// Weights over a kilobyte go to PATH.data beside the file. Where the file would pass Protocol Buffers' 2 GiB they do
  /// in any case.
  bool external_weights = false;
};

/// Writes the model as ONNX (opset 17, IR 8), weights inside the file unless asked otherwise, batch open. Written
/// beside and renamed, so that the target is never half a file. Returns the bytes written, weights beside the file
/// included. Throws Error when an operator has no ONNX form or the disk refuses.
uintmax_t write_model(const OnnxModel& model, const std::string& path, const WriteOptions& options = {});

/// The one size of picture that a written file takes although the model takes others: what the written opset lacks
/// (Attention) is spelled out for it, and loops whose count follows from a size are unrolled for it. Empty where the
/// file takes all that the model does.
std::optional<PictureSize> size_fixed_by_writing(const OnnxModel& model);

/// The model as it is written: where open extents count loops, at its usual size, with loops unrolled and branches
/// taken; else as it is. Throws Error for loops that run as often as the batch is large.
OnnxModel without_loops(const OnnxModel& model);

/// A node's attributes as ONNX has them, in one line; empty for nodes without any, or without an ONNX form.
std::string attributes_text(const Graph& graph, const Node& node);

}  // namespace graft
