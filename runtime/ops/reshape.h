#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// The family that keeps the elements' row-major order and changes the shape. One kernel serves all.
struct ReshapeLike : Operator {
  bool is_reshape() const override { return true; }
  Layout layout() const override { return Layout::each_any; }
  void differentiate(GradientBuilder& grad) const override;
};

/// ONNX Reshape: the target is the constant second input; 0 copies a dimension (unless `allow_zero`), -1 takes the
/// rest.
struct Reshape final : ReshapeLike {
  bool allow_zero = false;
  std::string_view type() const override { return "Reshape"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// A reshape to a shape known beforehand, as the backward pass needs.
struct ReshapeTo final : ReshapeLike {
  Shape target;
  std::string_view type() const override { return "ReshapeTo"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Flatten: dimensions before `axis` become the first, the rest the second.
struct Flatten final : ReshapeLike {
  int64_t axis = 1;
  std::string_view type() const override { return "Flatten"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Squeeze: axes come as the second input when it is there; otherwise the attribute, or every extent of 1 when
/// empty.
struct Squeeze final : ReshapeLike {
  std::vector<int64_t> axes;
  std::string_view type() const override { return "Squeeze"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Unsqueeze: axes (positions in the result) come as the second input when it is there, otherwise as the
/// attribute.
struct Unsqueeze final : ReshapeLike {
  std::vector<int64_t> axes;
  std::string_view type() const override { return "Unsqueeze"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Identity.
struct Identity final : ReshapeLike {
  std::string_view type() const override { return "Identity"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

}  // namespace graft
