#pragma once

#include <string>

#include "importer/model.h"

namespace graft {

/// Writes the model as ONNX (opset 17, IR 8), weights inside the file, batch open. Written beside and renamed, so that the
/// target is never half a file. Throws Error when an operator has no ONNX form or the disk refuses.
void write_model(const Model& model, const std::string& path);

}  // namespace graft
