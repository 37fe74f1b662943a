#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// Operators that place elements elsewhere and compute nothing.

struct Transpose final : Operator {
  std::vector<int64_t> permutation;  // empty: reversed
  std::string_view type() const override { return "Transpose"; }
  Layout layout() const override { return Layout::each_any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  std::vector<size_t> order(int64_t rank) const;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

struct Concat final : Operator {
  int64_t axis = 1;
  std::string_view type() const override { return "Concat"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Slice: starts, ends, axes, steps come as constant inputs when there are any, otherwise from the fields.
struct Slice final : Operator {
  std::vector<int64_t> starts, ends, axes, steps;
  std::string_view type() const override { return "Slice"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  /// Per dimension of x: first element, step, count.
  struct Range {
    int64_t start = 0, step = 1, count = 0;
  };
  std::vector<Range> ranges(std::span<const ValueType> inputs) const;
};

/// dL/dx of Slice: dL/dy placed into zeros. `ranges` as in Slice.
struct SliceGradient final : Operator {
  std::vector<Slice::Range> ranges;
  Shape input_shape;
  std::string_view type() const override { return "SliceGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Pad, all modes. Pads (and the constant) come as constant inputs when there are any. Order: all befores, then
/// all afters; negative pads crop.
struct Pad final : Operator {
  enum class Mode : uint8_t { constant, reflect, edge, wrap };
  Mode mode = Mode::constant;
  std::vector<int64_t> pads;
  float fill = 0;
  std::string_view type() const override { return "Pad"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  /// Befores and afters for every dimension.
  std::vector<int64_t> resolved_pads(std::span<const ValueType> inputs) const;
  /// Of a mode that copies: the element of x, along a dimension of this extent with these pads, that stands at `i`,
  /// which may lie outside.
  int64_t source(int64_t i, int64_t extent, int64_t before, int64_t after) const;

 private:
  void differentiate_copies(GradientBuilder& grad, const std::vector<int64_t>& amounts) const;
};

struct Gather final : Operator {
  int64_t axis = 0;
  std::string_view type() const override { return "Gather"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// dL/dx of Gather: each slice of dL/dy added where it was taken from. Inputs dL/dy, indices.
struct GatherGradient final : Operator {
  int64_t axis = 0;
  Shape input_shape;
  std::string_view type() const override { return "GatherGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Expand: NumPy broadcasting to the constant second input.
struct Expand final : Operator {
  std::string_view type() const override { return "Expand"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
};

/// ONNX Cast; with `like`, CastLike: to the element type of a second input.
struct Cast final : Operator {
  DType to = DType::f32;
  bool like = false;
  bool weight_like = false;  // of a weight or its gradient: the result lies as those do
  bool output_is_weight_like() const override { return weight_like; }
  std::string_view type() const override { return "Cast"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
};

/// ONNX Shape: always folded into a constant before a plan is made.
struct ShapeOf final : Operator {
  int64_t start = 0, end = INT64_MAX;
  std::string_view type() const override { return "Shape"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  Tensor evaluate(const Shape& input) const;
  std::vector<Tensor> results_from_types(std::span<const ValueType> inputs) const override;
};

/// ONNX ConstantOfShape: folded likewise.
struct ConstantOfShape final : Operator {
  std::shared_ptr<const Tensor> fill;  // one element; null: float zero
  std::string_view type() const override { return "ConstantOfShape"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

/// ONNX Range: start, limit and step are constant inputs; folded likewise.
struct Range final : Operator {
  std::string_view type() const override { return "Range"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

}  // namespace graft
