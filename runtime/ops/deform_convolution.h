#pragma once

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft {

/// ONNX DeformConv: x (N×C×H×W), weight (K×C/groups×R×S), offset (N×(offset_groups·R·S·2)×Ho×Wo: a shift in pixels,
/// (y, x), for each place of the kernel), optional bias (K), optional mask (N×(offset_groups·R·S)×Ho×Wo). Same as
/// torchvision.ops.deform_conv2d. A composite: the shifted pixels are sampled (GridSample), masked, and multiplied by
/// the weights as a 1×1 convolution. ["Deformable ConvNets v2", https://arxiv.org/abs/1811.11168]
struct DeformConvolution final : Operator {
  Window2d window;
  int64_t groups = 1, offset_groups = 1;

  std::string_view type() const override { return "DeformConv"; }
  OperandSet weights() const override { return OperandSet::only({1, 3}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
