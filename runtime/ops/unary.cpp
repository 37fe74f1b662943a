#include "runtime/ops/unary.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

namespace {

using K = Unary::Kind;
using S = UnaryTraits::Slope;

// In the order of Kind.
constexpr UnaryTraits kFunctions[] = {
    {K::relu, "Relu", S::from_output},
    {K::clip, "Clip", S::from_output},
    {K::leaky_relu, "LeakyRelu", S::from_output, {"alpha", 0.01f}},
    {K::elu, "Elu", S::from_output, {"alpha", 1.0f}},
    {K::selu, "Selu", S::from_input, {"alpha", 1.67326319217681884765625f}, {"gamma", 1.05070102214813232421875f}},
    {K::celu, "Celu", S::from_input, {"alpha", 1.0f}},
    {K::thresholded_relu, "ThresholdedRelu", S::from_input, {"alpha", 1.0f}},
    {K::shrink, "Shrink", S::from_input, {"lambd", 0.5f}, {"bias", 0.0f}},
    {K::sigmoid, "Sigmoid", S::from_output},
    {K::hard_sigmoid, "HardSigmoid", S::from_input, {"alpha", 0.2f}, {"beta", 0.5f}},
    {K::hard_swish, "HardSwish", S::from_input},
    {K::swish, "Swish", S::from_input, {"alpha", 1.0f}},
    {K::gelu, "Gelu", S::from_input},
    {K::gelu_tanh, "Gelu", S::from_input},
    {K::mish, "Mish", S::from_input},
    {K::softplus, "Softplus", S::from_input},
    {K::softsign, "Softsign", S::from_input},
    {K::tanh, "Tanh", S::from_output},
    {K::erf, "Erf", S::from_input},
    {K::exp, "Exp", S::from_output},
    {K::log, "Log", S::from_input},
    {K::sqrt, "Sqrt", S::from_output},
    {K::reciprocal, "Reciprocal", S::from_output},
    {K::neg, "Neg", S::from_output},
    {K::abs, "Abs", S::from_input},
    {K::sign, "Sign", S::none},
    {K::floor, "Floor", S::none},
    {K::ceil, "Ceil", S::none},
    {K::round, "Round", S::none},
    {K::sin, "Sin", S::from_input},
    {K::cos, "Cos", S::from_input},
    {K::tan, "Tan", S::from_output},
    {K::asin, "Asin", S::from_input},
    {K::acos, "Acos", S::from_input},
    {K::atan, "Atan", S::from_input},
    {K::sinh, "Sinh", S::from_input},
    {K::cosh, "Cosh", S::from_input},
    {K::asinh, "Asinh", S::from_input},
    {K::acosh, "Acosh", S::from_input},
    {K::atanh, "Atanh", S::from_input},
};

constexpr bool in_order() {
  for (size_t i = 0; i < std::size(kFunctions); ++i)
    if (static_cast<size_t>(kFunctions[i].kind) != i) return false;
  return true;
}
static_assert(in_order());

}  // namespace

std::span<const UnaryTraits> unary_functions() { return kFunctions; }
const UnaryTraits& traits(Unary::Kind kind) { return kFunctions[static_cast<size_t>(kind)]; }

std::string_view Unary::type() const { return traits(kind).type; }

std::vector<ValueType> Unary::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  return {{inputs[0].dtype, inputs[0].shape}};
}

OperatorPtr make_unary(Unary::Kind kind, float alpha, float beta) {
  auto op = std::make_shared<Unary>();
  op->kind = kind;
  op->alpha = alpha;
  op->beta = beta;
  return op;
}

void Unary::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  const UnaryTraits::Slope slope = traits(kind).slope;
  if (slope == UnaryTraits::Slope::none)
    throw Error(std::string(type()) + " has no useful gradient", "freeze the layers up to this node");
  auto op = std::make_shared<UnaryGradient>();
  op->kind = kind;
  op->alpha = alpha;
  op->beta = beta;
  grad.give(
      0, grad.emit(op, {grad.grad_output(), slope == UnaryTraits::Slope::from_output ? grad.output() : grad.input(0)}));
}

Activation as_activation(const Unary& op) {
  switch (op.kind) {
    case Unary::Kind::relu:
      return {Activation::Kind::relu, 0, 0};
    case Unary::Kind::clip:
      return {Activation::Kind::clip, op.alpha, op.beta};
    case Unary::Kind::leaky_relu:
      return {Activation::Kind::leaky_relu, op.alpha, 0};
    default:
      return {};
  }
}

int32_t activation_gradient(GradientBuilder& grad, const Activation& activation, int32_t y, int32_t dy) {
  if (activation.kind == Activation::Kind::none) return dy;
  auto op = std::make_shared<UnaryGradient>();
  op->kind = activation.kind == Activation::Kind::relu   ? Unary::Kind::relu
             : activation.kind == Activation::Kind::clip ? Unary::Kind::clip
                                                         : Unary::Kind::leaky_relu;
  op->alpha = activation.alpha;
  op->beta = activation.beta;
  return grad.emit(op, {dy, y}, "activation");
}

}  // namespace graft
