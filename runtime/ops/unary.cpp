#include "runtime/ops/unary.h"

#include "runtime/base/error.h"
#include "runtime/gradient.h"

namespace graft {

std::string_view Unary::type() const {
  switch (kind) {
    case Kind::relu: return "Relu";
    case Kind::clip: return "Clip";
    case Kind::leaky_relu: return "LeakyRelu";
    case Kind::elu: return "Elu";
    case Kind::sigmoid: return "Sigmoid";
    case Kind::hard_sigmoid: return "HardSigmoid";
    case Kind::hard_swish: return "HardSwish";
    case Kind::tanh: return "Tanh";
    case Kind::softplus: return "Softplus";
    case Kind::exp: return "Exp";
    case Kind::log: return "Log";
    case Kind::sqrt: return "Sqrt";
    case Kind::neg: return "Neg";
    case Kind::abs: return "Abs";
    case Kind::reciprocal: return "Reciprocal";
    case Kind::floor: return "Floor";
    case Kind::ceil: return "Ceil";
    case Kind::erf: return "Erf";
  }
  return "Unary";
}

std::vector<ValueType> Unary::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  return {{inputs[0].dtype, inputs[0].shape}};
}

bool slope_follows_from_output(Unary::Kind kind) {
  using enum Unary::Kind;
  switch (kind) {
    case relu: case clip: case leaky_relu: case elu: case sigmoid: case tanh: case exp: case sqrt: case neg: case reciprocal: return true;
    default: return false;
  }
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
  if (kind == Kind::floor || kind == Kind::ceil) throw Error(std::string(type()) + " has no useful gradient", "freeze the layers up to this node");
  auto op = std::make_shared<UnaryGradient>();
  op->kind = kind;
  op->alpha = alpha;
  op->beta = beta;
  grad.give(0, grad.emit(op, {grad.grad_output(), slope_follows_from_output(kind) ? grad.output() : grad.input(0)}));
}

Activation as_activation(const Unary& op) {
  switch (op.kind) {
    case Unary::Kind::relu: return {Activation::Kind::relu, 0, 0};
    case Unary::Kind::clip: return {Activation::Kind::clip, op.alpha, op.beta};
    case Unary::Kind::leaky_relu: return {Activation::Kind::leaky_relu, op.alpha, 0};
    default: return {};
  }
}

int32_t activation_gradient(GradientBuilder& grad, const Activation& activation, int32_t y, int32_t dy) {
  if (activation.kind == Activation::Kind::none) return dy;
  auto op = std::make_shared<UnaryGradient>();
  op->kind = activation.kind == Activation::Kind::relu ? Unary::Kind::relu
             : activation.kind == Activation::Kind::clip ? Unary::Kind::clip : Unary::Kind::leaky_relu;
  op->alpha = activation.alpha;
  op->beta = activation.beta;
  return grad.emit(op, {dy, y}, "activation");
}

}  // namespace graft
