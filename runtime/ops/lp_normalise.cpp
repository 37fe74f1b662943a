#include "runtime/ops/lp_normalise.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> LpNormalise::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 1 || inputs[0].shape.empty()) throw Error("needs an input of at least one dimension");
  if (p != 1 && p != 2) throw Error("p = " + std::to_string(p) + " is not supported: 1 and 2 are");
  resolve_axis(axis, inputs[0].shape.rank());
  return {{inputs[0].dtype, inputs[0].shape}};
}

void LpNormalise::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<LpNormaliseGradient>();
  op->forward = *this;
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.input(0)}));
}

}  // namespace graft
