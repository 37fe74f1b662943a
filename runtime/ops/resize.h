#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX Resize and Upsample as one product of a sparse matrix for each dimension that changes: every result is a
/// weighted sum of few elements along that dimension. Inputs x and, where neither scales nor sizes are set, a tensor of
/// scales (float) or sizes (integers) that is known once extents are.
struct Resize final : Operator {
  enum class Mode : uint8_t { nearest, linear, cubic };
  enum class Coordinates : uint8_t {
    half_pixel,
    half_pixel_symmetric,
    pytorch_half_pixel,
    align_corners,
    asymmetric,
    tf_crop_and_resize
  };
  enum class Nearest : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
  enum class Policy : uint8_t { stretch, not_larger, not_smaller };
  Mode mode = Mode::nearest;
  Coordinates coordinates = Coordinates::half_pixel;
  Nearest nearest = Nearest::round_prefer_floor;
  Policy policy = Policy::stretch;
  bool antialias = false, exclude_outside = false;
  float cubic = -0.75f;
  float extrapolation = 0;
  std::vector<int64_t> axes;  // empty: all
  // At most one of them is set. For each of `axes`.
  std::vector<float> scales;
  std::vector<int64_t> sizes;
  std::vector<float> region;  // tf_crop_and_resize: starts, then ends, each for `axes`

  std::string_view type() const override { return "Resize"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;

  /// The weighted sums along one dimension: result i is Σ weight·x[index] over its taps, plus `constant` where it lies
  /// outside.
  struct Taps {
    struct Tap {
      int64_t index;
      float weight;
    };
    std::vector<std::vector<Tap>> of;
    std::vector<float> constant;
  };
  /// For each dimension of x; no taps where nothing changes.
  std::vector<Taps> taps(const Shape& x) const;
  HalfOperands half_operands() const override { return {OperandSet::only({0}), OperandSet::all()}; }
};

/// dL/dx of Resize. Input dL/dy.
struct ResizeGradient final : Operator {
  Resize forward;
  Shape input_shape;
  std::string_view type() const override { return "ResizeGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
