#include "runtime/ops/dropout.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> Dropout::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  if (!(ratio >= 0 && ratio < 1)) throw Error("ratio must lie in [0, 1), found " + std::to_string(ratio));
  return {{inputs[0].dtype, inputs[0].shape}};
}

void Dropout::differentiate(GradientBuilder& grad) const {
  if (grad.wanted(0)) grad.give(0, grad.emit(std::make_shared<Dropout>(*this), {grad.grad_output()}));
}

}  // namespace graft
