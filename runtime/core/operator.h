#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/core/tensor.h"

namespace graft {

class GradientBuilder;

/// What is known of a value before it is computed. `constant` is set when its content is known, and is not owned.
struct ValueType {
  DType dtype = DType::f32;
  Shape shape;
  const Tensor* constant = nullptr;
};

/// What a kernel does to its result before it writes it: y = activation(result + residual).
struct Activation {
  enum class Kind : uint8_t { none, relu, clip, leaky_relu };
  Kind kind = Kind::none;
  float alpha = 0;  // clip: low; leaky_relu: slope
  float beta = 0;   // clip: high
};

struct Epilogue {
  bool residual = false;  // the node's last input is added, same shape as the output
  Activation activation;
  bool empty() const { return !residual && activation.kind == Activation::Kind::none; }
};

/// An operator is its attributes and two rules, shape and gradient. It knows no device, no layout and no memory.
/// Operators are immutable; nodes of several graphs may share one.
class Operator {
 public:
  virtual ~Operator() = default;

  /// ONNX's name where ONNX has the operator.
  virtual std::string_view type() const = 0;

  /// dtypes and shapes of the outputs. Throws Error when the inputs do not fit.
  virtual std::vector<ValueType> infer(std::span<const ValueType> inputs) const = 0;

  /// Appends the nodes for the gradients of those inputs that the builder wants. The default throws Error.
  virtual void differentiate(GradientBuilder& grad) const;

  /// Multiply-adds of one evaluation, by the usual counting (convolutions and dense layers only).
  virtual int64_t multiply_adds(std::span<const ValueType>, std::span<const ValueType>) const { return 0; }

  /// The tail fused into this operator, or null when it cannot carry one.
  virtual const Epilogue* epilogue() const { return nullptr; }
  virtual std::shared_ptr<const Operator> with_epilogue(const Epilogue&) const { return nullptr; }

  /// True when the output holds the input's elements in the same (logical row-major) order under another shape.
  virtual bool is_reshape() const { return false; }

  /// True when the output is the input's memory seen otherwise, given how both lie.
  virtual bool is_view(const ValueType& /*input*/, const Strides& /*from*/, const ValueType& /*output*/,
                       const Strides& /*to*/) const {
    return false;
  }

  /// Inputs that an output may overwrite when nobody needs them afterwards, the best first.
  virtual std::vector<int> in_place_inputs(size_t /*output*/) const { return {}; }

  /// The form with everything resolved that depends on the inputs' extents (automatic padding), or null when this one
  /// is.
  virtual std::shared_ptr<const Operator> resolved(std::span<const ValueType>) const { return nullptr; }

  /// The form that keeps what the gradient needs (extra outputs are appended), or null when this one does.
  virtual std::shared_ptr<const Operator> training_form() const { return nullptr; }

  /// Weight-like outputs stay row-major; activations of rank four are channels-last.
  virtual bool output_is_weight_like() const { return false; }
};

using OperatorPtr = std::shared_ptr<const Operator>;

}  // namespace graft
