#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX LpNormalization: y = x/‖x‖ₚ along one axis, p 1 or 2; zero where the norm is zero, as is the gradient there.
struct LpNormalise final : Operator {
  int64_t axis = -1;
  int64_t p = 2;

  std::string_view type() const override { return "LpNormalization"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
};

/// dL/dx of LpNormalise: with n = ‖x‖ₚ, dx = (dy - y·Σ dy·y)/n for p = 2 and (dy - sign(x)·Σ dy·y)/n for p = 1. Inputs
/// dL/dy, x.
struct LpNormaliseGradient final : Operator {
  LpNormalise forward;

  std::string_view type() const override { return "LpNormalizationGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[1].dtype, inputs[1].shape}};
  }
};

}  // namespace graft
