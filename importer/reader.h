#pragma once

#include <functional>
#include <string>

#include "importer/model.h"
#include "runtime/passes/passes.h"

namespace graft {

/// The extents that the caller is about to give to a graph's inputs, where it knows them. May be asked several times.
using GivenExtents = std::function<OpenDims(const Graph&)>;

/// Reads an ONNX file (IR 3 to the newest, opsets 7 to the newest) into a Graph. The file is untrusted: sizes, shapes,
/// names, offsets and external-data paths are checked before use. The batch is left open, also where the file fixes it.
/// Half and double weights become float32. Throws Error that names the file, the node and what to do; operators that
/// graft does not know are all listed in one Error. Where the file leaves the pictures' size open, a size that the
/// network runs at is looked for: the one that the file names or 224, then what `given` answers, then others that are
/// usual.
OnnxModel read_model(const std::string& path, const GivenExtents& given = nullptr);

}  // namespace graft
