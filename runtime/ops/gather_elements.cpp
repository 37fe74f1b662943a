#include "runtime/ops/gather_elements.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> GatherElements::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs data and indices");
  const Shape &data = inputs[0].shape, &indices = inputs[1].shape;
  bool fits = data.rank() == indices.rank() && !data.empty();
  if (fits) {
    const auto along = static_cast<size_t>(resolve_axis(axis, data.rank()));
    for (size_t i = 0; i < data.size(); ++i) fits = fits && (i == along || indices[i] <= data[i]);
  }
  if (!fits) throw Error("indices " + indices.str() + " do not fit data " + data.str());
  return {{inputs[0].dtype, indices}};
}

void GatherElements::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<GatherElementsGradient>();
  op->axis = axis;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.input(1)}));
}

}  // namespace graft
