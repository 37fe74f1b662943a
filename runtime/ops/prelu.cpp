#include "runtime/ops/prelu.h"

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/comparison.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/reduce.h"

namespace graft {

std::vector<ValueType> PRelu::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 2) throw Error("needs an input and slopes");
  if (inputs[0].dtype != inputs[1].dtype) throw Error("input and slopes have different element types");
  if (broadcast(inputs[0].shape, inputs[1].shape) != inputs[0].shape)
    throw Error("slopes of " + inputs[1].shape.str() + " do not fit an input of " + inputs[0].shape.str());
  return {{inputs[0].dtype, inputs[0].shape}};
}

void PRelu::differentiate(GradientBuilder& grad) const {
  const ValueId x = grad.input(0), slope = grad.input(1), dy = grad.grad_output();
  const ValueId zero = grad.graph().add_constant(grad.node().name + ":zero", Tensor::of<float>({}, {0.0f}));
  const ValueId positive = grad.emit(make_comparison(Comparison::Kind::greater), {x, zero}, "positive");
  if (grad.wanted(0)) {
    const ValueId scaled = grad.emit(make_binary(Binary::Kind::mul), {dy, slope}, "scaled");
    grad.give(0, grad.emit(std::make_shared<Where>(), {positive, dy, scaled}, "x"));
  }
  if (grad.wanted(1)) {
    const ValueId product = grad.emit(make_binary(Binary::Kind::mul), {dy, x}, "product");
    const ValueId below = grad.emit(std::make_shared<Where>(), {positive, zero, product}, "below");
    grad.give(1, sum_to(grad, below, grad.shape(slope)));
  }
}

}  // namespace graft
