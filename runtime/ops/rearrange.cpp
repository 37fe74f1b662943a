#include "runtime/ops/rearrange.h"

#include "runtime/core/error.h"
#include "runtime/core/integer.h"
#include "runtime/ops/gradient.h"
#include "runtime/ops/movement.h"

namespace graft {

namespace {

// Past it, products of attributes could overflow; published networks use 2 to 8.
constexpr int64_t kLargestBlock = 1024;

}  // namespace

SplitSlice::Range SplitSlice::piece(std::span<const int64_t> sizes, int64_t index, int64_t count) {
  if (static_cast<int64_t>(sizes.size()) != count)
    throw Error("has " + std::to_string(count) + " outputs but " + std::to_string(sizes.size()) + " sizes");
  Range range;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t size = sizes[static_cast<size_t>(i)];
    if (size < 0) throw Error("a piece has " + std::to_string(size) + " elements");
    if (i == index) range = {range.of, size, range.of};
    range.of = checked_add(range.of, size);
  }
  return range;
}

SplitSlice::Range SplitSlice::range(const Shape& x) const {
  const int64_t extent = x[static_cast<size_t>(resolve_axis(axis, x.rank()))];
  if (known) {
    if (known->of != extent)
      throw Error("the pieces have " + std::to_string(known->of) + " elements together, the input " +
                  std::to_string(extent));
    return *known;
  }
  const int64_t each = (extent + count - 1) / count;
  const int64_t first = std::min(extent, each * index), last = std::min(extent, each * (index + 1));
  return {first, last - first, extent};
}

std::vector<ValueType> SplitSlice::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty()) throw Error("needs an input");
  if (const OperatorPtr form = resolved(inputs)) return form->infer(inputs.first(1));
  Shape y = inputs[0].shape;
  y[static_cast<size_t>(resolve_axis(axis, y.rank()))] = range(inputs[0].shape).count;
  return {{inputs[0].dtype, y}};
}

OperatorPtr SplitSlice::resolved(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2 || known) return nullptr;
  const Tensor* const sizes = inputs[1].constant;
  if (!sizes) throw Error("the sizes of the pieces depend on the data");
  auto form = std::make_shared<SplitSlice>(*this);
  // A node stands here once for each piece, and a list may be long: it is not copied.
  form->known = sizes->dtype() == DType::i64 ? piece(sizes->data<int64_t>(), index, count)
                                             : piece(to_int64s(*sizes), index, count);
  return form;
}

void SplitSlice::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<SliceGradient>();
  op->input_shape = grad.shape(grad.input(0));
  for (int64_t extent : op->input_shape) op->ranges.push_back({0, 1, extent});
  const Range part = range(op->input_shape);
  op->ranges[static_cast<size_t>(resolve_axis(axis, op->input_shape.rank()))] = {part.first, 1, part.count};
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<ValueType> Tile::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2 || !inputs[1].constant) throw Error("the repeats depend on the data");
  const auto repeats = to_int64s(*inputs[1].constant);
  Shape y = inputs[0].shape;
  if (repeats.size() != y.size()) throw Error(std::to_string(repeats.size()) + " repeats for an input of " + y.str());
  for (size_t i = 0; i < y.size(); ++i) {
    if (repeats[i] < 0 || __builtin_mul_overflow(y[i], repeats[i], &y[i]))
      throw Error("dimension " + std::to_string(i) + " cannot be repeated " + std::to_string(repeats[i]) + " times");
  }
  return {{inputs[0].dtype, y}};
}

void Tile::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<TileGradient>();
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

std::vector<ValueType> DepthSpace::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() != 4) throw Error("needs an input N×C×H×W");
  const Shape& x = inputs[0].shape;
  if (block < 1 || block > kLargestBlock)
    throw Error("blocksize must lie in 1…" + std::to_string(kLargestBlock) + ", found " + std::to_string(block));
  const int64_t area = block * block;
  if (to_depth) {
    if (x[2] % block != 0 || x[3] % block != 0)
      throw Error("a picture of " + x.str() + " cannot be divided into blocks of " + std::to_string(block));
    return {{inputs[0].dtype, Shape{x[0], x[1] * area, x[2] / block, x[3] / block}}};
  }
  if (x[1] % area != 0)
    throw Error(std::to_string(x[1]) + " channels cannot be divided into blocks of " + std::to_string(area));
  return {{inputs[0].dtype, Shape{x[0], x[1] / area, x[2] * block, x[3] * block}}};
}

void DepthSpace::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto back = std::make_shared<DepthSpace>(*this);
  back->to_depth = !to_depth;
  grad.give(0, grad.emit(back, {grad.grad_output()}));
}

}  // namespace graft
