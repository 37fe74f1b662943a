#pragma once

#include <span>

#include "runtime/core/operator.h"

namespace graft {

/// Element-wise functions of one tensor. alpha and beta are the function's own constants (clip: low, high; leaky_relu:
/// slope).
struct Unary final : Operator {
  enum class Kind : uint8_t {
    relu,
    clip,
    leaky_relu,
    elu,
    selu,
    celu,
    thresholded_relu,
    shrink,
    sigmoid,
    hard_sigmoid,
    hard_swish,
    swish,
    gelu,
    gelu_tanh,
    mish,
    softplus,
    softsign,
    tanh,
    erf,
    exp,
    log,
    sqrt,
    reciprocal,
    neg,
    abs,
    sign,
    floor,
    ceil,
    round,
    sin,
    cos,
    tan,
    asin,
    acos,
    atan,
    sinh,
    cosh,
    asinh,
    acosh,
    atanh
  };
  Kind kind = Kind::relu;
  float alpha = 0, beta = 0;

  std::string_view type() const override;
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  std::vector<int> in_place_inputs(size_t output) const override {
    return output == 0 ? std::vector<int>{0} : std::vector<int>{};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  bool is_element_wise() const override { return true; }
};

/// dL/dx = dL/dy · f'(x). Inputs: dL/dy, and x, or y for functions whose slope follows from their result.
struct UnaryGradient final : Operator {
  Unary::Kind kind = Unary::Kind::relu;
  float alpha = 0, beta = 0;

  std::string_view type() const override { return "UnaryGradient"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, inputs[0].shape}};
  }
  std::vector<int> in_place_inputs(size_t output) const override {
    return output == 0 ? std::vector<int>{0} : std::vector<int>{};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  bool is_element_wise() const override { return true; }
};

/// What is known of a function besides its values.
struct UnaryTraits {
  /// Where f' comes from: x; y, so that x need not be kept (and a fused activation can be undone); or f has no useful
  /// slope.
  enum class Slope : uint8_t { from_input, from_output, none };
  /// An attribute of ONNX's and its default; no name where the function has no such constant.
  struct Constant {
    const char* name = nullptr;
    float otherwise = 0;
  };
  Unary::Kind kind;
  std::string_view type;  // ONNX's
  Slope slope;
  Constant alpha{}, beta{};
};

/// All functions, by Kind.
std::span<const UnaryTraits> unary_functions();
const UnaryTraits& traits(Unary::Kind kind);

OperatorPtr make_unary(Unary::Kind kind, float alpha = 0, float beta = 0);

/// The activation as a fusable tail, or kind none when it has no fused form.
Activation as_activation(const Unary& op);

/// dL/d(input of the activation) from its output y and dL/dy; returns `dy` itself when there is no activation.
int32_t activation_gradient(GradientBuilder& grad, const Activation& activation, int32_t y, int32_t dy);

}  // namespace graft
