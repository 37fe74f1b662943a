#pragma once

#include "runtime/core/operator.h"

namespace graft {

enum class Transpose2d : bool { no, yes };

/// Dense layer (ONNX Gemm): Y = α·op(A)·op(B) + β·C. A is M×K, B is K×N after their transposes, C broadcasts to M×N
/// (absent: zero). With an epilogue's residual, input 3 has Y's shape.
struct Gemm final : Operator {
  Transpose2d transpose_a = Transpose2d::no, transpose_b = Transpose2d::no;
  float alpha = 1, beta = 1;
  Epilogue tail;
  bool weight_like = false;  // set on gradients of weights

  std::string_view type() const override { return "Gemm"; }
  OperandSet weights() const override { return OperandSet::only({1, 2}); }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  const Epilogue* epilogue() const override { return &tail; }
  OperatorPtr with_epilogue(const Epilogue& epilogue) const override;
  std::vector<int> in_place_inputs(size_t) const override {
    return tail.residual ? std::vector<int>{3} : std::vector<int>{};
  }
  bool output_is_weight_like() const override { return weight_like; }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  std::optional<size_t> residual_input() const override { return 3; }
};

/// Batched matrix product with NumPy's broadcasting of the leading dimensions (ONNX MatMul).
struct MatMul final : Operator {
  std::string_view type() const override { return "MatMul"; }
  OperandSet weights() const override { return OperandSet::all(); }
  Layout layout() const override { return Layout::each_any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  OperatorPtr row_form(std::span<const ValueType> inputs) const override;
};

}  // namespace graft
