#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// A picture N×C×H×W as a matrix (N·H·W)×C of its pixels, and back. Where channels lie last in memory, nothing moves.
struct PixelsToRows final : Operator {
  std::string_view type() const override { return "PixelsToRows"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  bool is_view(const ValueType& input, const Strides& from, const ValueType& output, const Strides& to) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

struct RowsToPixels final : Operator {
  Shape picture;
  std::string_view type() const override { return "RowsToPixels"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  bool is_view(const ValueType& input, const Strides& from, const ValueType& output, const Strides& to) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
