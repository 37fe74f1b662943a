#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// y = scale·(x - μ)/√(σ² + ε) + bias, with μ and σ² over one picture's
///   instance: channel [Ulyanov et al. 2016],
///   group: block of channels/groups channels [Wu & He 2018],
///   layer: dimensions from `axis` on [Ba et al. 2016].
/// Inputs x (N×C×…), scale, optional bias: one number a channel (instance, group), or broadcast to the dimensions from
/// `axis` on (layer). Group: scale and bias may have one number a group instead (ONNX before opset 21). A layer norm
/// has two more outputs when asked: μ and 1/√(σ² + ε), with 1 for each extent they run over. With `root_mean_square`, μ
/// counts as 0 and bias is absent.
struct Normalise final : Operator {
  enum class Over : uint8_t { instance, group, layer };
  Over over = Over::layer;
  int64_t groups = 1;
  int64_t axis = -1;
  float epsilon = 1e-5f;
  bool root_mean_square = false;

  std::string_view type() const override;
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  // Parameters and statistics stay float: they are few, and differences of them matter.
  HalfOperands half_operands() const override { return {OperandSet::all_but({1, 2}), OperandSet::only({0})}; }
  OperatorPtr row_form(std::span<const ValueType> inputs) const override;
};

/// Gradient of Normalise. Inputs dL/dy, x, scale; outputs dL/dx, dL/dscale, dL/dbias (the shape of scale).
struct NormaliseGradient final : Operator {
  Normalise forward;
  std::string_view type() const override { return "NormaliseGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, inputs[1].shape}, {inputs[0].dtype, inputs[2].shape}, {inputs[0].dtype, inputs[2].shape}};
  }
  HalfOperands half_operands() const override { return {OperandSet::all_but({2}), OperandSet::only({0})}; }
};

}  // namespace graft
