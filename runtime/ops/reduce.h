#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX ReduceMean, ReduceSum, ReduceMax, ReduceMin, ReduceProd, ReduceSumSquare, ReduceL1, ReduceL2,
/// ReduceLogSum, ReduceLogSumExp; GlobalAveragePool and
/// GlobalMaxPool are the mean and the maximum over the spatial axes. No axes given: all of them.
struct Reduce final : Operator {
  enum class Kind : uint8_t { mean, sum, max, min, prod, sum_square, l1, l2, log_sum, log_sum_exp };
  Kind kind = Kind::mean;
  std::vector<int64_t> axes;
  bool all_axes = false;
  bool keep_dims = true;
  bool global_pool = false;  // keeps ONNX's name for the pooling form
  bool none_means_none =
      false;  // an empty list of axes, computed by the graph (second input), leaves everything as it is

  std::string_view type() const override;
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  /// True for each dimension that is reduced.
  std::vector<bool> reduced(int64_t rank) const;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// Sums a gradient over the dimensions that broadcasting stretched: output has the shape `target`, times `scale`.
struct SumTo final : Operator {
  Shape target;
  float scale = 1;

  std::string_view type() const override { return "SumTo"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override { return {{inputs[0].dtype, target}}; }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// Appends a SumTo where `gradient` was stretched beyond `shape` by broadcasting; returns the gradient of that shape.
int32_t sum_to(GradientBuilder& grad, int32_t gradient, const Shape& shape);

/// Stretches the input to `target` and multiplies by `scale`: the gradient of a mean or a sum. The input is first seen
/// under `from` (with the reduced dimensions back in place).
struct BroadcastTo final : Operator {
  Shape from, target;
  float scale = 1;

  std::string_view type() const override { return "BroadcastTo"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override { return {{inputs[0].dtype, target}}; }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
