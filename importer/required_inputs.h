#pragma once

#include "importer/op_table.h"

namespace graft {

/// Throws Error where a node lacks an input that its operator cannot do without: of ONNX's own operators those that
/// ONNX's schemas ask for (the fewest of the versions from opset 7 on) or, where any number may be given, all that are;
/// of others what they work on.
void require_inputs(const NodeReader& node, bool is_own);

}  // namespace graft
