#include "runtime/ops/softmax.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> Softmax::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.empty()) throw Error("needs an input of at least one dimension");
  if (!(flatten && axis == inputs[0].shape.rank())) resolve_axis(axis, inputs[0].shape.rank());
  return {{inputs[0].dtype, inputs[0].shape}};
}

void Softmax::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<SoftmaxGradient>();
  op->forward = *this;
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.output()}));
}

}  // namespace graft
