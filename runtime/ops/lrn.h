#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// Local response normalisation across channels [Krizhevsky et al. 2012, §3.3; ONNX LRN]:
/// y_c = x_c · (bias + α/size · Σ_{c' in window of `size` around c} x_c'²)^(-β).
struct Lrn final : Operator {
  int64_t size = 5;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;

  std::string_view type() const override { return "LRN"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// Inputs dL/dy, x.
struct LrnGradient final : Operator {
  Lrn forward;
  std::string_view type() const override { return "LRNGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, inputs[0].shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
