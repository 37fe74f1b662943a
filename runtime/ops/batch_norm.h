#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// Batch normalisation with fixed statistics (ONNX BatchNormalization in inference): y = scale·(x - mean)/√(var + ε) +
/// bias. Inputs x, scale, bias, mean, var, then the residual where the epilogue has one. Statistics and affine
/// parameters count as frozen: only dL/dx exists.
struct BatchNorm final : Operator {
  float epsilon = 1e-5f;
  float momentum =
      0.9f;  // ONNX's: running = momentum·running + (1 - momentum)·batch; used when the statistics are trained
  bool in_training = false;  // exported in training mode: ONNX has it take the batch's own statistics
  Epilogue tail;

  std::string_view type() const override { return "BatchNormalization"; }
  OperandSet weights() const override { return OperandSet::only({1, 2}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  const Epilogue* epilogue() const override { return &tail; }
  OperatorPtr with_epilogue(const Epilogue& epilogue) const override;
  std::vector<int> in_place_inputs(size_t) const override {
    return tail.residual ? std::vector<int>{0, 5} : std::vector<int>{0};
  }
  // Parameters and statistics stay float: they are few, and differences of them matter.
  HalfOperands half_operands() const override { return {OperandSet::all_but({1, 2, 3, 4}), OperandSet::all()}; }
  std::optional<size_t> residual_input() const override { return 5; }
};

/// Batch normalisation with the batch's own statistics [Ioffe & Szegedy 2015]. Inputs x, scale, bias, then the
/// residual; outputs y, batch mean (C), biased batch variance (C).
struct BatchNormTraining final : Operator {
  float epsilon = 1e-5f;
  Epilogue tail;

  std::string_view type() const override { return "BatchNormTraining"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  const Epilogue* epilogue() const override { return &tail; }
  OperatorPtr with_epilogue(const Epilogue& epilogue) const override;
  // Parameters and statistics stay float: they are few, and differences of them matter.
  HalfOperands half_operands() const override { return {OperandSet::all_but({1, 2}), OperandSet::only({0})}; }
  std::optional<size_t> residual_input() const override { return 3; }
  /// Fixed statistics, those that were measured.
  OperatorPtr recomputed_form(std::vector<ValueId>& inputs, std::span<const ValueId> outputs) const override;
  /// One pass over x. With a residual the gradient needs the output anyway, for its mask.
  bool is_cheap_to_recompute() const override { return !tail.residual; }
};

/// Gradient of BatchNormTraining. Inputs dL/dy, x, scale, bias, mean, variance, y; outputs dL/dx, dL/dscale, dL/dbias
/// and, with a residual, dL/dresidual. The fused activation is undone here: with a residual its mask comes from y,
/// without one it is recomputed from x, which saves reading y.
struct BatchNormGradient final : Operator {
  float epsilon = 1e-5f;
  Epilogue tail;

  std::string_view type() const override { return "BatchNormGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  /// dx takes the place of x, the residual's gradient that of dy: both are read just before they are written.
  std::vector<int> in_place_inputs(size_t output) const override {
    if (output == 0) return tail.residual ? std::vector<int>{1} : std::vector<int>{0, 1};
    return output == 3 ? std::vector<int>{0} : std::vector<int>{};
  }
  // Parameters and statistics stay float: they are few, and differences of them matter.
  HalfOperands half_operands() const override { return {OperandSet::all_but({2, 3, 4, 5}), OperandSet::only({0, 3})}; }
};

/// The rest of BatchNormGradient where the gradients of scale and bias are known already. Inputs dL/d(norm's output),
/// x, scale, mean, variance, dL/dscale, dL/dbias; output dL/dx.
struct BatchNormInputGradient final : Operator {
  float epsilon = 1e-5f;

  std::string_view type() const override { return "BatchNormInputGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[1].dtype, inputs[1].shape}};
  }
  std::vector<int> in_place_inputs(size_t) const override { return {0, 1}; }
  // Parameters and statistics stay float: they are few, and differences of them matter.
  HalfOperands half_operands() const override { return {OperandSet::all_but({2, 3, 4, 5, 6}), OperandSet::all()}; }
};

}  // namespace graft
