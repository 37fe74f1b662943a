#include "runtime/ops/norm_view.h"

#include "runtime/ops/broadcast.h"

namespace graft {

NormView::NormView(const Normalise& op, const Shape& x) : shape(x), inner(x.size(), false), op_(op) {
  size_t first = 2;
  if (op.over == Normalise::Over::layer) first = static_cast<size_t>(resolve_axis(op.axis, x.rank()));
  if (op.over == Normalise::Over::group) {
    shape.insert(shape.begin() + 1, op.groups);
    shape[2] = x[1] / op.groups;
    inner.push_back(false);
  }
  for (size_t i = first; i < inner.size(); ++i) inner[i] = true;
}

Strides NormView::data(const Operand& x) const {
  Strides strides = x.strides;
  if (op_.over == Normalise::Over::group) strides.insert(strides.begin() + 1, strides[1] * shape[2]);
  return strides;
}

Strides NormView::parameters(const Operand& scale) const {
  Strides strides(shape.size(), 0);
  if (op_.over == Normalise::Over::layer) strides = broadcast_strides(scale.shape, scale.strides, shape);
  if (op_.over == Normalise::Over::instance) strides[1] = 1;
  if (op_.over == Normalise::Over::group) {
    const bool per_group = scale.shape[0] == op_.groups && shape[2] > 1;
    strides[1] = per_group ? 1 : shape[2];
    strides[2] = per_group ? 0 : 1;
  }
  return strides;
}

}  // namespace graft
