#include "runtime/ops/binary.h"

#include "runtime/core/error.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/comparison.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"

namespace graft {

std::string_view Binary::type() const {
  switch (kind) {
    case Kind::add:
      return "Add";
    case Kind::sub:
      return "Sub";
    case Kind::mul:
      return "Mul";
    case Kind::div:
      return "Div";
    case Kind::pow:
      return "Pow";
    case Kind::max:
      return "Max";
    case Kind::min:
      return "Min";
    case Kind::mod:
    case Kind::fmod:
      return "Mod";
  }
  return "Binary";
}

OperatorPtr make_binary(Binary::Kind kind) {
  auto op = std::make_shared<Binary>();
  op->kind = kind;
  return op;
}

std::vector<ValueType> Binary::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 2) throw Error("needs two operands");
  if (inputs[0].dtype != inputs[1].dtype) {
    throw Error(std::string("operands are ") + name_of(inputs[0].dtype) + " and " + name_of(inputs[1].dtype));
  }
  return {{inputs[0].dtype, broadcast(inputs[0].shape, inputs[1].shape)}};
}

void Binary::differentiate(GradientBuilder& grad) const {
  const ValueId a = grad.input(0), b = grad.input(1), y = grad.output();
  const ValueId dy = activation_gradient(grad, activation, y, grad.grad_output());
  const auto give = [&](size_t i, ValueId full) { grad.give(i, sum_to(grad, full, grad.shape(grad.input(i)))); };
  switch (kind) {
    case Kind::add:
      if (grad.wanted(0)) give(0, dy);
      if (grad.wanted(1)) give(1, dy);
      return;
    case Kind::sub:
      if (grad.wanted(0)) give(0, dy);
      if (grad.wanted(1)) give(1, grad.emit(make_unary(Unary::Kind::neg), {dy}, "b"));
      return;
    case Kind::mul:
      if (grad.wanted(0)) give(0, grad.emit(make_binary(Kind::mul), {dy, b}, "a"));
      if (grad.wanted(1)) give(1, grad.emit(make_binary(Kind::mul), {dy, a}, "b"));
      return;
    case Kind::div: {
      const ValueId over_b = grad.emit(make_binary(Kind::div), {dy, b}, "a");
      if (grad.wanted(0)) give(0, over_b);
      if (grad.wanted(1)) {  // -dy·a/b²
        const ValueId quotient = grad.emit(make_binary(Kind::div), {a, b}, "q");
        const ValueId scaled = grad.emit(make_binary(Kind::mul), {over_b, quotient}, "b");
        give(1, grad.emit(make_unary(Unary::Kind::neg), {scaled}, "b"));
      }
      return;
    }
    case Kind::pow:
      if (grad.wanted(0)) {  // dy·b·a^(b-1)
        const ValueId one = grad.graph().add_constant(grad.node().name + ":one", Tensor::of<float>({}, {1.0f}));
        const ValueId less = grad.emit(make_binary(Kind::sub), {b, one}, "less");
        const ValueId power = grad.emit(make_binary(Kind::pow), {a, less}, "power");
        const ValueId slope = grad.emit(make_binary(Kind::mul), {b, power}, "slope");
        give(0, grad.emit(make_binary(Kind::mul), {dy, slope}, "a"));
      }
      if (grad.wanted(1)) {  // dy·y·ln a
        const ValueId log = grad.emit(make_unary(Unary::Kind::log), {a}, "log");
        const ValueId slope = grad.emit(make_binary(Kind::mul), {y, log}, "slope_b");
        give(1, grad.emit(make_binary(Kind::mul), {dy, slope}, "b"));
      }
      return;
    case Kind::max:
    case Kind::min: {  // the winner takes it; where both are equal, the first does
      const auto first =
          make_comparison(kind == Kind::max ? Comparison::Kind::greater_or_equal : Comparison::Kind::less_or_equal);
      const ValueId wins = grad.emit(first, {a, b}, "wins");
      const ValueId zero = grad.graph().add_constant(grad.node().name + ":zero", Tensor::of<float>({}, {0.0f}));
      if (grad.wanted(0)) give(0, grad.emit(std::make_shared<Where>(), {wins, dy, zero}, "a"));
      if (grad.wanted(1)) give(1, grad.emit(std::make_shared<Where>(), {wins, zero, dy}, "b"));
      return;
    }
    case Kind::mod:
    case Kind::fmod:  // a - q·b, with a whole q that does not change nearby: -dy·q for b
      if (grad.wanted(0)) give(0, dy);
      if (grad.wanted(1)) {
        const ValueId rest =
            activation.kind == Activation::Kind::none ? y : grad.emit(make_binary(kind), {a, b}, "rest");
        const ValueId whole = grad.emit(make_binary(Kind::sub), {a, rest}, "whole");
        const ValueId quotient = grad.emit(make_binary(Kind::div), {whole, b}, "q");
        const ValueId scaled = grad.emit(make_binary(Kind::mul), {dy, quotient}, "b");
        give(1, grad.emit(make_unary(Unary::Kind::neg), {scaled}, "b"));
      }
      return;
  }
}

OperatorPtr Binary::with_activation(const Activation& more) const {
  if (activation.kind != Activation::Kind::none) return nullptr;
  auto fused = std::make_shared<Binary>(*this);
  fused->activation = more;
  return fused;
}

}  // namespace graft
