#include "runtime/ops/comparison.h"

#include "runtime/core/error.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/reduce.h"

namespace graft {

std::string_view Comparison::type() const {
  switch (kind) {
    case Kind::equal:
      return "Equal";
    case Kind::greater:
      return "Greater";
    case Kind::greater_or_equal:
      return "GreaterOrEqual";
    case Kind::less:
      return "Less";
    case Kind::less_or_equal:
      return "LessOrEqual";
    case Kind::logical_and:
      return "And";
    case Kind::logical_or:
      return "Or";
    case Kind::logical_xor:
      return "Xor";
  }
  return "Comparison";
}

std::vector<ValueType> Comparison::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 2) throw Error("needs two operands");
  if (inputs[0].dtype != inputs[1].dtype)
    throw Error(std::string("operands are ") + name_of(inputs[0].dtype) + " and " + name_of(inputs[1].dtype));
  const bool logical = kind == Kind::logical_and || kind == Kind::logical_or || kind == Kind::logical_xor;
  if (logical && inputs[0].dtype != DType::boolean)
    throw Error(std::string("operands are ") + name_of(inputs[0].dtype) + ", not boolean");
  return {{DType::boolean, broadcast(inputs[0].shape, inputs[1].shape)}};
}

OperatorPtr make_comparison(Comparison::Kind kind) {
  auto op = std::make_shared<Comparison>();
  op->kind = kind;
  return op;
}

std::string_view Predicate::type() const {
  switch (kind) {
    case Kind::logical_not:
      return "Not";
    case Kind::is_nan:
      return "IsNaN";
    case Kind::is_inf:
      return "IsInf";
  }
  return "Predicate";
}

std::vector<ValueType> Predicate::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  if (kind == Kind::logical_not && inputs[0].dtype != DType::boolean)
    throw Error(std::string("operand is ") + name_of(inputs[0].dtype) + ", not boolean");
  return {{DType::boolean, inputs[0].shape}};
}

std::vector<ValueType> Where::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 3) throw Error("needs a condition and two operands");
  if (inputs[0].dtype != DType::boolean)
    throw Error(std::string("the condition is ") + name_of(inputs[0].dtype) + ", not boolean");
  if (inputs[1].dtype != inputs[2].dtype)
    throw Error(std::string("operands are ") + name_of(inputs[1].dtype) + " and " + name_of(inputs[2].dtype));
  return {{inputs[1].dtype, broadcast(broadcast(inputs[0].shape, inputs[1].shape), inputs[2].shape)}};
}

void Where::differentiate(GradientBuilder& grad) const {
  const ValueId zero = grad.graph().add_constant(grad.node().name + ":zero", Tensor::of<float>({}, {0.0f}));
  for (size_t i = 1; i < 3; ++i) {
    if (!grad.wanted(i)) continue;
    const ValueId chosen = grad.emit(
        std::make_shared<Where>(),
        {grad.input(0), i == 1 ? grad.grad_output() : zero, i == 1 ? zero : grad.grad_output()}, i == 1 ? "x" : "y");
    grad.give(i, sum_to(grad, chosen, grad.shape(grad.input(i))));
  }
}

}  // namespace graft
