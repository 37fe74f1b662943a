#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX AffineGrid over pictures: theta (N×2×3) and a constant size (of which H and W count: N, C, H, W) give the grid
/// (N×H×W×2) that GridSample reads: theta·(x, y, 1) for each pixel. Same as torch.nn.functional.affine_grid. A
/// composite.
struct AffineGrid final : Operator {
  bool align_corners = false;

  std::string_view type() const override { return "AffineGrid"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
