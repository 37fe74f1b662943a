#include "runtime/ops/lrn.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> Lrn::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() != 4) throw Error("needs an N×C×H×W input");
  if (size < 1) throw Error("size must be at least 1");
  return {{inputs[0].dtype, inputs[0].shape}};
}

void Lrn::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<LrnGradient>();
  op->forward = *this;
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.input(0)}));
}

}  // namespace graft
