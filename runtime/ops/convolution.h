#pragma once

#include <optional>

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft {

/// 2-D cross-correlation (ONNX Conv). Input N×C×H×W, weight K×(C/groups)×R×S, optional bias K, then the residual
/// N×K×Ho×Wo where the epilogue has one. `window.kernel` is R×S. With `statistics`, outputs 1 and 2 are the mean and
/// the biased variance of each output channel over the batch (K each); the epilogue is then empty.
struct Convolution final : Operator {
  Window2d window;
  int64_t groups = 1;
  Epilogue tail;
  bool statistics = false;

  std::string_view type() const override { return "Conv"; }
  OperandSet weights() const override { return OperandSet::only({1, 2}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  const Epilogue* epilogue() const override { return &tail; }
  OperatorPtr with_epilogue(const Epilogue& epilogue) const override;
  std::vector<int> in_place_inputs(size_t) const override {
    return tail.residual ? std::vector<int>{3} : std::vector<int>{};
  }
  HalfOperands half_operands() const override { return {OperandSet::all(), OperandSet::only({0})}; }
  std::optional<size_t> residual_input() const override { return 3; }
  OperatorPtr recomputed_form(std::vector<ValueId>& inputs, std::span<const ValueId> outputs) const override;
};

/// dL/dx of a convolution. Inputs dL/dy, weight, then the residual where the epilogue has one (another branch's
/// gradient of the same value); output N×C×H×W. With `norm` the gradient goes on through what made x, x =
/// activation(batch norm(u) + r), whose x, u, batch mean and variance are the last four inputs: output 0 is then the
/// gradient before that activation, and outputs 1 and 2 are the gradients of the norm's scale and bias (C each). The
/// epilogue has no activation then.
struct ConvolutionBackwardData final : Operator {
  Window2d window;
  int64_t groups = 1;
  Shape input_shape;
  Epilogue tail;
  struct Norm {
    Activation activation;
    float epsilon = 1e-5f;
  };
  std::optional<Norm> norm;

  std::string_view type() const override { return "ConvBackwardData"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  const Epilogue* epilogue() const override { return &tail; }
  OperatorPtr with_epilogue(const Epilogue& epilogue) const override;
  std::vector<int> in_place_inputs(size_t) const override {
    return tail.residual ? std::vector<int>{2} : std::vector<int>{};
  }
  HalfOperands half_operands() const override;
  std::optional<size_t> residual_input() const override { return 2; }
};

/// dL/dw and, when asked, dL/db of a convolution. Inputs x, dL/dy; outputs the weight's shape, then K.
struct ConvolutionBackwardWeights final : Operator {
  Window2d window;
  int64_t groups = 1;
  Shape weight_shape;
  bool bias = false;

  std::string_view type() const override { return "ConvBackwardWeights"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool output_is_weight_like() const override { return true; }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
