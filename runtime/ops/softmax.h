#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX Softmax and LogSoftmax. Before opset 13 the input is flattened to two dimensions at `axis` first (`flatten`).
struct Softmax final : Operator {
  enum class Form : uint8_t { probability, log_probability };
  Form form = Form::probability;
  int64_t axis = -1;
  bool flatten = false;

  std::string_view type() const override { return form == Form::probability ? "Softmax" : "LogSoftmax"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
};

/// Inputs dL/dy, y.
struct SoftmaxGradient final : Operator {
  Softmax forward;
  std::string_view type() const override { return "SoftmaxGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, inputs[0].shape}};
  }
};

}  // namespace graft
