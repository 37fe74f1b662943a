#pragma once

#include <vector>

#include "runtime/core/backend.h"

namespace graft {

/// Runs one operator on constants in row-major order: for constant folding and tests. Throws Error as the kernel does.
std::vector<Tensor> evaluate_node(const Operator& op, const std::vector<ValueType>& inputs,
                                  const std::vector<ValueType>& outputs, const Backend& backend);

}  // namespace graft
