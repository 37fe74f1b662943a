#include "runtime/ops/movement.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/core/error.h"
#include "runtime/core/integer.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/reduce.h"

namespace graft {
namespace {

const Tensor& constant_input(std::span<const ValueType> inputs, size_t i, const char* what) {
  if (!inputs[i].constant) throw Error(std::string(what) + " depends on the data, which no plan can be made for");
  return *inputs[i].constant;
}

bool has(std::span<const ValueType> inputs, size_t i) { return i < inputs.size() && inputs[i].constant; }

void require_input(std::span<const ValueType> inputs) {
  if (inputs.empty()) throw Error("needs an input");
}

}  // namespace

std::vector<size_t> Transpose::order(int64_t rank) const {
  std::vector<size_t> order(static_cast<size_t>(rank));
  if (permutation.empty()) {
    std::iota(order.rbegin(), order.rend(), size_t{0});
    return order;
  }
  std::vector<bool> seen(order.size(), false);
  if (permutation.size() != order.size())
    throw Error("perm has " + std::to_string(permutation.size()) + " entries for rank " + std::to_string(rank));
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = static_cast<size_t>(resolve_axis(permutation[i], rank));
    if (seen[order[i]]) throw Error("perm names a dimension twice");
    seen[order[i]] = true;
  }
  return order;
}

std::vector<ValueType> Transpose::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  Shape y;
  for (size_t from : order(inputs[0].shape.rank())) y.push_back(inputs[0].shape[from]);
  return {{inputs[0].dtype, y}};
}

void Transpose::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  const auto axes = order(grad.shape(grad.input(0)).rank());
  auto op = std::make_shared<Transpose>();
  op->permutation.resize(axes.size());
  for (size_t i = 0; i < axes.size(); ++i) op->permutation[axes[i]] = static_cast<int64_t>(i);
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<ValueType> Concat::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  Shape y = inputs[0].shape;
  const auto a = static_cast<size_t>(resolve_axis(axis, y.rank()));
  for (size_t i = 1; i < inputs.size(); ++i) {
    const Shape& x = inputs[i].shape;
    bool fits = x.size() == y.size() && inputs[i].dtype == inputs[0].dtype;
    for (size_t d = 0; fits && d < y.size(); ++d) fits = d == a || x[d] == y[d];
    if (!fits) throw Error("cannot join " + x.str() + " to " + y.str() + " along dimension " + std::to_string(a));
    y[a] = checked_add(y[a], x[a]);
  }
  return {{inputs[0].dtype, y}};
}

void Concat::differentiate(GradientBuilder& grad) const {
  int64_t offset = 0;
  for (size_t i = 0; i < grad.input_count(); ++i) {
    const Shape x = grad.shape(grad.input(i));
    const int64_t a = resolve_axis(axis, x.rank()), extent = x[static_cast<size_t>(a)];
    if (grad.wanted(i)) {
      auto op = std::make_shared<Slice>();
      op->starts = {offset};
      op->ends = {offset + extent};
      op->axes = {a};
      op->steps = {1};
      grad.give(i, grad.emit(op, {grad.grad_output()}, std::to_string(i)));
    }
    offset += extent;
  }
}

std::vector<Slice::Range> Slice::ranges(std::span<const ValueType> inputs) const {
  require_input(inputs);
  const Shape& x = inputs[0].shape;
  auto from = starts, to = ends, along = axes, by = steps;
  if (inputs.size() >= 3) {
    from = to_int64s(constant_input(inputs, 1, "the start of a slice"));
    to = to_int64s(constant_input(inputs, 2, "the end of a slice"));
    along = has(inputs, 3) ? to_int64s(*inputs[3].constant) : std::vector<int64_t>{};
    by = has(inputs, 4) ? to_int64s(*inputs[4].constant) : std::vector<int64_t>{};
  }
  if (along.empty())
    for (size_t i = 0; i < from.size(); ++i) along.push_back(static_cast<int64_t>(i));
  if (by.empty()) by.assign(from.size(), 1);
  if (to.size() != from.size() || along.size() != from.size() || by.size() != from.size())
    throw Error("starts, ends, axes and steps differ in length");
  std::vector<Range> result;
  for (int64_t d : x) result.push_back({0, 1, d});
  for (size_t i = 0; i < from.size(); ++i) {
    const auto a = static_cast<size_t>(resolve_axis(along[i], x.rank()));
    const int64_t n = x[a], step = by[i];
    if (step == 0 || step == INT64_MIN) throw Error("step must not be 0");
    const auto clamp = [&](int64_t v, int64_t low, int64_t high) { return std::clamp(v < 0 ? v + n : v, low, high); };
    const int64_t first = step > 0 ? clamp(from[i], 0, n) : clamp(from[i], 0, n - 1);
    const int64_t last = step > 0 ? clamp(to[i], 0, n) : clamp(to[i], -1, n - 1);
    const int64_t span = step > 0 ? last - first : first - last, magnitude = step > 0 ? step : -step;
    result[a] = {first, step, span > 0 ? (span + magnitude - 1) / magnitude : 0};
  }
  return result;
}

std::vector<ValueType> Slice::infer(std::span<const ValueType> inputs) const {
  Shape y;
  for (const Range& r : ranges(inputs)) y.push_back(r.count);
  return {{inputs[0].dtype, y}};
}

void Slice::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<SliceGradient>();
  op->ranges = ranges(input_types(grad.graph(), grad.node()));
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<int64_t> Pad::resolved_pads(std::span<const ValueType> inputs) const {
  require_input(inputs);
  const int64_t rank = inputs[0].shape.rank();
  auto given = inputs.size() > 1 ? to_int64s(constant_input(inputs, 1, "the padding")) : pads;
  if (has(inputs, 3)) {
    const auto along = to_int64s(*inputs[3].constant);
    if (given.size() != 2 * along.size()) throw Error("pads and axes differ in length");
    std::vector<int64_t> full(static_cast<size_t>(2 * rank), 0);
    for (size_t i = 0; i < along.size(); ++i) {
      const auto a = static_cast<size_t>(resolve_axis(along[i], rank));
      full[a] = given[i];
      full[a + static_cast<size_t>(rank)] = given[i + along.size()];
    }
    given = full;
  }
  if (static_cast<int64_t>(given.size()) != 2 * rank)
    throw Error("pads has " + std::to_string(given.size()) + " entries for rank " + std::to_string(rank));
  return given;
}

std::vector<ValueType> Pad::infer(std::span<const ValueType> inputs) const {
  const auto amounts = resolved_pads(inputs);
  Shape y = inputs[0].shape;
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t before = amounts[i], after = amounts[i + y.size()];
    constexpr int64_t kLimit = 1 << 20;
    if (std::abs(before) > kLimit || std::abs(after) > kLimit)
      throw Error("padding of " + std::to_string(std::max(before, after)) + " is out of all proportion");
    const int64_t kept = y[i] + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
    if (mode != Mode::constant && kept < 1 && (before > 0 || after > 0))
      throw Error("dimension " + std::to_string(i) + " is empty: there is nothing to fill the padding with",
                  "only constant padding can extend it");
    if (mode == Mode::reflect && (before >= kept || after >= kept) && (before > 0 || after > 0))
      throw Error("reflection reaches past the picture");
    y[i] += before + after;
    if (y[i] < 0) throw Error("negative padding leaves nothing");
  }
  return {{inputs[0].dtype, y}};
}

int64_t Pad::source(int64_t i, int64_t extent, int64_t before, int64_t after) const {
  // Negative pads crop before others copy.
  const int64_t first = std::max<int64_t>(0, -before), kept = extent - first - std::max<int64_t>(0, -after);
  const auto wrapped = [](int64_t at, int64_t period) { return (at % period + period) % period; };
  if (mode == Mode::wrap) return first + wrapped(i - first, kept);
  if (mode == Mode::edge || kept == 1) return std::clamp<int64_t>(i, first, first + kept - 1);
  const int64_t period = 2 * (kept - 1), at = wrapped(i - first, period);
  return first + std::min(at, period - at);
}

/// Along one dimension after the other each element was taken from one of x's, some of them several times.
void Pad::differentiate_copies(GradientBuilder& grad, const std::vector<int64_t>& amounts) const {
  const Shape x = grad.shape(grad.input(0));
  ValueId dx = grad.grad_output();
  for (size_t d = 0; d < x.size(); ++d) {
    if (amounts[d] == 0 && amounts[d + x.size()] == 0) continue;
    std::vector<int64_t> from;
    for (int64_t i = -amounts[d]; i < x[d] + amounts[d + x.size()]; ++i)
      from.push_back(source(i, x[d], amounts[d], amounts[d + x.size()]));
    auto op = std::make_shared<GatherGradient>();
    op->axis = static_cast<int64_t>(d);
    op->input_shape = grad.shape(dx);
    op->input_shape[d] = x[d];
    const std::string name = grad.node().name + ":from" + std::to_string(d);
    const auto count = static_cast<int64_t>(from.size());
    dx = grad.emit(op, {dx, grad.graph().add_constant(name, Tensor::copy_of<int64_t>({count}, from))},
                   "along" + std::to_string(d));
  }
  grad.give(0, dx);
}

void Pad::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto amounts = resolved_pads(input_types(grad.graph(), grad.node()));
  if (mode != Mode::constant) return differentiate_copies(grad, amounts);
  for (int64_t& a : amounts) a = -a;
  auto op = std::make_shared<Pad>();
  op->pads = amounts;
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<ValueType> Gather::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs data and indices");
  const Shape& x = inputs[0].shape;
  const auto a = static_cast<size_t>(resolve_axis(axis, x.rank()));
  Shape y(std::vector<int64_t>(x.begin(), x.begin() + static_cast<int64_t>(a)));
  y.insert(y.end(), inputs[1].shape.begin(), inputs[1].shape.end());
  y.insert(y.end(), x.begin() + static_cast<int64_t>(a) + 1, x.end());
  return {{inputs[0].dtype, y}};
}

std::vector<ValueType> Expand::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs a target shape");
  return {
      {inputs[0].dtype, broadcast(inputs[0].shape, Shape(to_int64s(constant_input(inputs, 1, "the target shape"))))}};
}

void Gather::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<GatherGradient>();
  op->axis = axis;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.input(1)}));
}

void Expand::differentiate(GradientBuilder& grad) const {
  if (grad.wanted(0)) grad.give(0, sum_to(grad, grad.grad_output(), grad.shape(grad.input(0))));
}

std::vector<ValueType> Cast::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  if (like && inputs.size() < 2) throw Error("needs a second input, whose element type it takes");
  return {{like ? inputs[1].dtype : to, inputs[0].shape}};
}

void Cast::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<Cast>();
  op->to = grad.graph().value(grad.input(0)).dtype;
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<ValueType> Range::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 3) throw Error("needs start, limit and step");
  double number[3];
  for (size_t i = 0; i < 3; ++i) {
    if (inputs[i].dtype != inputs[0].dtype)
      throw Error(std::string("start, limit and step are ") + name_of(inputs[0].dtype) + ", " +
                      name_of(inputs[1].dtype) + " and " + name_of(inputs[2].dtype),
                  "the three must be of one type; the file is damaged");
    if (!inputs[i].constant || inputs[i].constant->elements() != 1)
      throw Error("start, limit and step must be constant numbers");
    number[i] = cast(*inputs[i].constant, DType::f64).data<double>()[0];
  }
  if (number[2] == 0) throw Error("step is 0");
  const double count = std::max(0.0, std::ceil((number[1] - number[0]) / number[2]));
  if (!(count < 1e9)) throw Error("would have " + std::to_string(count) + " elements");
  return {{inputs[0].dtype, Shape{static_cast<int64_t>(count)}}};
}

Tensor ShapeOf::evaluate(const Shape& input) const {
  const int64_t rank = input.rank();
  const auto bound = [&](int64_t v) { return std::clamp(v < 0 ? v + rank : v, int64_t{0}, rank); };
  const int64_t first = bound(start), last = end == INT64_MAX ? rank : bound(end);
  std::vector<int64_t> dims;
  for (int64_t i = first; i < last; ++i) dims.push_back(input[static_cast<size_t>(i)]);
  return Tensor::copy_of<int64_t>({static_cast<int64_t>(dims.size())}, dims);
}

std::vector<ValueType> ShapeOf::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  return {{DType::i64, evaluate(inputs[0].shape).shape()}};
}

std::vector<ValueType> ConstantOfShape::infer(std::span<const ValueType> inputs) const {
  require_input(inputs);
  const auto dims = to_int64s(constant_input(inputs, 0, "the shape"));
  for (int64_t d : dims)
    if (d < 0) throw Error("negative dimension " + std::to_string(d));
  return {{fill ? fill->dtype() : DType::f32, Shape(dims)}};
}

std::vector<Tensor> ShapeOf::results_from_types(std::span<const ValueType> inputs) const {
  std::vector<Tensor> results;
  results.push_back(evaluate(inputs[0].shape));
  return results;
}

}  // namespace graft
