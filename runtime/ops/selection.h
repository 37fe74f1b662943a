#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX ArgMax and ArgMin: the place (int64) of the first, or last, extreme along one axis.
struct ArgExtreme final : Operator {
  bool largest = true;
  int64_t axis = 0;
  bool keep_dims = true;
  bool last = false;
  std::string_view type() const override { return largest ? "ArgMax" : "ArgMin"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

/// ONNX Hardmax: 1 at the first maximum along the axis, 0 elsewhere. Before opset 13 the input is flattened at `axis`
/// first.
struct Hardmax final : Operator {
  int64_t axis = -1;
  bool flatten = false;
  std::string_view type() const override { return "Hardmax"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

/// ONNX TopK: the k (constant second input) largest or smallest along an axis, best first, and their places (int64).
/// Equal values keep their order.
struct TopK final : Operator {
  int64_t axis = -1;
  bool largest = true;
  int64_t k = 0;  // where there is no second input (before opset 10)
  std::string_view type() const override { return "TopK"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
};

/// dL/dx of TopK. Inputs dL/d values, places.
struct TopKGradient final : Operator {
  int64_t axis = -1;
  Shape input_shape;
  std::string_view type() const override { return "TopKGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
};

/// ONNX CumSum along the axis that the constant second input names.
struct CumSum final : Operator {
  bool exclusive = false, reverse = false;
  std::string_view type() const override { return "CumSum"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  static int64_t axis(std::span<const ValueType> inputs);
};

}  // namespace graft
