#pragma once

#include <optional>

#include "runtime/core/operator.h"

namespace graft {

/// ONNX EyeLike: a matrix of the input's shape with ones on the k-th diagonal, of the input's element type or another.
struct EyeLike final : Operator {
  std::optional<DType> to;
  int64_t k = 0;

  std::string_view type() const override { return "EyeLike"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Tensor> results_from_types(std::span<const ValueType> inputs) const override;
};

/// ONNX NonZero: the coordinates of the elements that are not zero, rank×count, of a constant: elsewhere the extent of
/// the result would depend on the data.
struct NonZero final : Operator {
  std::string_view type() const override { return "NonZero"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  std::vector<Tensor> results_from_types(std::span<const ValueType> inputs) const override;
};

}  // namespace graft
