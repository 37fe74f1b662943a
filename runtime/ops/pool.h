#pragma once

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft {

/// ONNX MaxPool over N×C×H×W. With `keep_positions` a second output (int32, N×C×Ho×Wo) holds, for the gradient, the
/// flat position h·W + w of each maximum.
struct MaxPool final : Operator {
  Window2d window;
  bool keep_positions = false;

  std::string_view type() const override { return "MaxPool"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  OperatorPtr training_form() const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// dL/dx of MaxPool. Inputs dL/dy, positions.
struct MaxPoolGradient final : Operator {
  Window2d window;  // MaxPool's: which outputs may have taken an input
  Shape input_shape;
  std::string_view type() const override { return "MaxPoolGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX AveragePool over N×C×H×W; padding counts in the divisor or does not, or nothing is divided (a sum).
struct AveragePool final : Operator {
  enum class Count : uint8_t { picture_only, padding_too, none };
  Window2d window;
  Count count = Count::picture_only;

  std::string_view type() const override { return "AveragePool"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// dL/dx of AveragePool. Input dL/dy.
struct AveragePoolGradient final : Operator {
  Window2d window;
  AveragePool::Count count = AveragePool::Count::picture_only;
  Shape input_shape;
  std::string_view type() const override { return "AveragePoolGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
