#include "runtime/ops/selection.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> ArgExtreme::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  Shape y = inputs[0].shape;
  const int64_t at = resolve_axis(axis, y.rank());
  if (y[static_cast<size_t>(at)] == 0)
    throw Error("nothing has no extreme: dimension " + std::to_string(at) + " is empty");
  if (keep_dims)
    y[static_cast<size_t>(at)] = 1;
  else
    y.erase(y.begin() + at);
  return {{DType::i64, y}};
}

std::vector<ValueType> Hardmax::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  if (!(flatten && axis == inputs[0].shape.rank())) resolve_axis(axis, inputs[0].shape.rank());
  return {{inputs[0].dtype, inputs[0].shape}};
}

std::vector<ValueType> TopK::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  int64_t count = k;
  if (inputs.size() > 1) {
    if (!inputs[1].constant || inputs[1].constant->elements() != 1) throw Error("k depends on the data");
    count = to_int64s(*inputs[1].constant)[0];
  }
  Shape y = inputs[0].shape;
  const auto at = static_cast<size_t>(resolve_axis(axis, y.rank()));
  if (count < 0 || count > y[at]) throw Error("k = " + std::to_string(count) + " of " + std::to_string(y[at]));
  y[at] = count;
  return {{inputs[0].dtype, y}, {DType::i64, y}};
}

void TopK::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<TopKGradient>();
  op->axis = axis;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.output(1)}));
}

int64_t CumSum::axis(std::span<const ValueType> inputs) {
  if (inputs.size() < 2 || !inputs[1].constant || inputs[1].constant->elements() != 1)
    throw Error("the axis depends on the data");
  return resolve_axis(to_int64s(*inputs[1].constant)[0], inputs[0].shape.rank());
}

std::vector<ValueType> CumSum::infer(std::span<const ValueType> inputs) const {
  axis(inputs);
  return {{inputs[0].dtype, inputs[0].shape}};
}

void CumSum::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto back = std::make_shared<CumSum>(*this);
  back->reverse = !reverse;
  grad.give(0, grad.emit(back, {grad.grad_output(), grad.input(1)}));
}

}  // namespace graft
