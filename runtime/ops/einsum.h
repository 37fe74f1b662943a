#pragma once

#include <string>

#include "runtime/core/operator.h"

namespace graft {

/// ONNX Einsum: products of the operands' elements, summed over every label that the output lacks. A term names the
/// dimensions of its operand with letters; "..." stands for those that are left, aligned at the last; a label twice in
/// one term takes the diagonal; an extent of 1 stretches. Without "->" the output has the dimensions of "...", then the
/// labels that occur once, in alphabetical order. Operands are combined two at a time from the left.
///
/// A composite: diagonals are slices, lone labels sums, and a pair of operands a product of matrices (MatMul) whose
/// batch are the labels that both have and the result needs.
struct Einsum final : Operator {
  std::string equation;

  std::string_view type() const override { return "Einsum"; }
  OperandSet weights() const override { return OperandSet::all(); }
  /// Throws Error with the equation where it is malformed or does not fit the shapes.
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
