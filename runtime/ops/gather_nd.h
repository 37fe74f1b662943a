#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX GatherND. Inputs data and indices, whose last dimension counts the coordinates of one place. Their
/// first `batch_dims` dimensions are the same and run side by side; each index then names a slice of what is left: y[b,
/// i…, …] = data[b, indices[b, i…], …]. Negative coordinates count from the end.
struct GatherND final : Operator {
  int64_t batch_dims = 0;

  std::string_view type() const override { return "GatherND"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  /// Where the slice of each index begins in data that lie with these strides, in the order of the indices. Throws
  /// Error for a coordinate that lies outside.
  std::vector<int64_t> starts(const Shape& data, const Strides& strides, const Tensor& indices) const;
  /// Dimensions of data that the indices use up.
  size_t named(const Shape& indices) const { return static_cast<size_t>(batch_dims + indices.back()); }
};

/// dL/d data of GatherND: each slice of dL/dy added where it was taken from. Inputs dL/dy, indices.
struct GatherNDGradient final : Operator {
  GatherND forward;
  Shape input_shape;

  std::string_view type() const override { return "GatherNDGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
};

}  // namespace graft
