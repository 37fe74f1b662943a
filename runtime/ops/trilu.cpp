#include "runtime/ops/trilu.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

int64_t Trilu::diagonal(std::span<const ValueType> inputs) {
  if (inputs.size() < 2) return 0;
  if (!inputs[1].constant || inputs[1].constant->elements() != 1) throw Error("k must be a constant number");
  return to_int64s(*inputs[1].constant)[0];
}

std::vector<ValueType> Trilu::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() < 2) throw Error("needs a matrix");
  diagonal(inputs);
  return {{inputs[0].dtype, inputs[0].shape}};
}

void Trilu::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  std::vector<ValueId> inputs = grad.node().inputs;
  inputs[0] = grad.grad_output();
  grad.give(0, grad.emit(std::make_shared<Trilu>(*this), inputs));
}

}  // namespace graft
