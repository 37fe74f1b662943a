#include "runtime/ops/reshape.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {
namespace {

std::vector<int64_t> axes_of(std::span<const ValueType> inputs, const std::vector<int64_t>& attribute) {
  if (inputs.size() < 2) return attribute;
  if (!inputs[1].constant) throw Error("axes must be constant");
  return to_int64s(*inputs[1].constant);
}

void require_input(std::span<const ValueType> inputs) {
  if (inputs.empty()) throw Error("needs an input");
}

}  // namespace

void ReshapeLike::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<ReshapeTo>();
  op->target = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<ValueType> ReshapeTo::infer(std::span<const ValueType> inputs) const {
  if (inputs[0].shape.elements() != target.elements())
    throw Error("cannot view " + inputs[0].shape.str() + " as " + target.str());
  return {{inputs[0].dtype, target}};
}

std::vector<ValueType> Reshape::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs a target shape");
  if (!inputs[1].constant) throw Error("the target shape depends on the data, which no plan can be made for");
  const Shape& x = inputs[0].shape;
  Shape y(to_int64s(*inputs[1].constant));
  int64_t known = 1, open = -1;
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] == 0 && !allow_zero) {
      if (i >= x.size())
        throw Error("target " + Shape(y).str() + " copies a dimension that " + x.str() + " does not have");
      y[i] = x[i];
    }
    if (y[i] == -1) {
      if (open >= 0) throw Error("target leaves two dimensions open");
      open = static_cast<int64_t>(i);
    } else if (y[i] < 0 || __builtin_mul_overflow(known, y[i], &known)) {
      throw Error("target has an impossible dimension " + std::to_string(y[i]));
    }
  }
  const int64_t count = x.elements();
  if (open >= 0) {
    if (known == 0 ? count != 0 : count % known != 0) throw Error("cannot view " + x.str() + " as " + y.str());
    y[static_cast<size_t>(open)] = known == 0 ? 0 : count / known;
  } else if (known != count) {
    throw Error("cannot view " + x.str() + " as " + y.str());
  }
  return {{inputs[0].dtype, y}};
}

std::vector<ValueType> Flatten::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  const Shape& x = inputs[0].shape;
  const int64_t split = axis == x.rank() ? axis : resolve_axis(axis, x.rank());
  Shape y{1, 1};
  for (int64_t i = 0; i < x.rank(); ++i) y[i < split ? 0 : 1] *= x[static_cast<size_t>(i)];
  return {{inputs[0].dtype, y}};
}

std::vector<ValueType> Squeeze::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  const Shape& x = inputs[0].shape;
  const auto given = axes_of(inputs, axes);
  std::vector<bool> dropped(x.size(), false);
  for (int64_t axis : given) {
    const auto i = static_cast<size_t>(resolve_axis(axis, x.rank()));
    if (x[i] != 1) throw Error("cannot squeeze dimension " + std::to_string(i) + " of " + x.str());
    dropped[i] = true;
  }
  Shape y;
  for (size_t i = 0; i < x.size(); ++i)
    if (given.empty() ? x[i] != 1 : !dropped[i]) y.push_back(x[i]);
  return {{inputs[0].dtype, y}};
}

std::vector<ValueType> Unsqueeze::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  const Shape& x = inputs[0].shape;
  const auto given = axes_of(inputs, axes);
  const size_t rank = x.size() + given.size();
  std::vector<bool> added(rank, false);
  for (int64_t axis : given) {
    const auto i = static_cast<size_t>(resolve_axis(axis, static_cast<int64_t>(rank)));
    if (added[i]) throw Error("axis " + std::to_string(axis) + " is given twice");
    added[i] = true;
  }
  Shape y;
  auto next = x.begin();
  for (size_t i = 0; i < rank; ++i) y.push_back(added[i] ? 1 : *next++);
  return {{inputs[0].dtype, y}};
}

std::vector<ValueType> Identity::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  return {{inputs[0].dtype, inputs[0].shape}};
}

}  // namespace graft
