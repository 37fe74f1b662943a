#pragma once

#include "runtime/core/tensor.h"

namespace graft {

/// NumPy's rule: shapes are aligned at the end, and a dimension of 1 stretches. Throws Error when they do not agree.
Shape broadcast(const Shape& a, const Shape& b);

/// Strides of `shape` seen as the larger `target`: 0 along stretched dimensions.
Strides broadcast_strides(const Shape& shape, const Strides& strides, const Shape& target);

}  // namespace graft
