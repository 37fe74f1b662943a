#pragma once

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft {

/// ONNX Col2Im over two dimensions (PyTorch's fold): input N×C·R·S×L with the R×S blocks of L places as columns, and
/// the constants image_shape (H, W) and block_shape (R, S); output N×C×H×W, overlapping blocks summed. `window` holds
/// strides, dilations and pads. A composite: a ConvTranspose whose weights put each row of a column in its place.
struct ColumnsToImage final : Operator {
  Window2d window;

  std::string_view type() const override { return "Col2Im"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
