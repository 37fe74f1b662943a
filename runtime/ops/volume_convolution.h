#pragma once

#include <array>

#include "runtime/core/operator.h"

namespace graft {

/// ONNX Conv over three dimensions: x (N×C×D×H×W), weight (K×C/groups×R×S×T), optional bias (K). A composite: of the
/// three, the dimension of the smallest kernel joins the batch, and for each place of the kernel along it there is one
/// convolution over the other two, whose results are summed.
struct VolumeConvolution final : Operator {
  std::array<int64_t, 3> stride{1, 1, 1}, dilation{1, 1, 1}, before{}, after{};
  int64_t groups = 1;

  std::string_view type() const override { return "Conv"; }
  OperandSet weights() const override { return OperandSet::only({1, 2}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
