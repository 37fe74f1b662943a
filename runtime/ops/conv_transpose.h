#pragma once

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft {

/// ONNX ConvTranspose over two dimensions: the gradient of a convolution's input, used forwards. Inputs x (N×C×H×W),
/// weight (C×(K/groups)×R×S); output N×K×H'×W' with H' = stride·(H - 1) + output_padding + dilation·(R - 1) + 1 - pads,
/// or `output_shape`, which then fixes the pads. `window` is the convolution's.
struct ConvTranspose final : Operator {
  Window2d window;
  int64_t groups = 1;
  Extent2d output_padding{0, 0};
  std::vector<int64_t> output_shape;  // H', W'; empty: by the formula

  std::string_view type() const override { return "ConvTranspose"; }
  OperandSet weights() const override { return OperandSet::only({1}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
};

}  // namespace graft
