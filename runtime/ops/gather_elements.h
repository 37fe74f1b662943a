#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX GatherElements (torch.gather). Inputs data and indices of one rank; y has the indices' shape and takes,
/// for each of them, the element of the same place but for `axis`, where the index counts: y[i, j] = data[i,
/// indices[i, j]]. Negative indices count from the end. Indices may depend on the data; one that lies outside is an
/// Error when it is met.
struct GatherElements final : Operator {
  int64_t axis = 0;

  std::string_view type() const override { return "GatherElements"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
};

/// dL/d data of GatherElements: each element of dL/dy added where it was taken from. Inputs dL/dy, indices.
struct GatherElementsGradient final : Operator {
  int64_t axis = 0;
  Shape input_shape;

  std::string_view type() const override { return "GatherElementsGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
};

}  // namespace graft
