#pragma once

#include "runtime/core/backend.h"
#include "runtime/ops/rearrange.h"

namespace graft {

/// What an operator that only moves elements does: both sides seen under one shape. Strides and offsets in elements.
struct Arrangement {
  Shape shape;
  Strides from, to;
  int64_t from_offset = 0;
};

/// `x` whole, `y` the part.
Arrangement part(const SplitSlice& op, const Operand& x, const Operand& y);
/// Each dimension of `single` in two, repeats and extent; the single one stands still (stride 0) along repeats.
Arrangement tiled(const Operand& single, const Operand& many);
/// Both sides as N, C, block rows, block columns, H, W of the small picture.
Arrangement depth_space(const DepthSpace& op, const Operand& x, const Operand& y);
/// N×C×H×W and the row-major matrix of its pixels, both as N, H, W, C: from the picture, or back.
Arrangement pixel_rows(const Operand& picture, bool back);

}  // namespace graft
