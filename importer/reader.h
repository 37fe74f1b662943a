#pragma once

#include <optional>
#include <string>

#include "importer/model.h"

namespace graft {

/// Reads an ONNX file (IR 3 to the newest, opsets 7 to the newest) into a Graph. The file is untrusted: sizes, shapes,
/// names, offsets and external-data paths are checked before use. The batch is left open, also where the file fixes it.
/// Half and double weights become float32. Throws Error that names the file, the node and what to do; operators that
/// graft does not know are all listed in one Error. Where the file leaves the pictures' size open, a size that the
/// network runs at is looked for: the one that the file names or 224, then `likely` (what the caller will give, where
/// that is known), then others that are usual.
OnnxModel read_model(const std::string& path, std::optional<PictureSize> likely = std::nullopt);

}  // namespace graft
