#include "runtime/ops/one_hot.h"

#include <numeric>

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/comparison.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

int64_t depth_of(const Tensor* depth) {
  if (!depth || depth->elements() != 1) throw Error("the depth must be one constant number");
  const int64_t extent = to_int64s(cast(*depth, DType::i64))[0];
  if (extent < 1 || extent > int64_t{1} << 24) throw Error("the depth is " + std::to_string(extent));
  return extent;
}

int64_t position(int64_t axis, int64_t rank) {
  const int64_t from_front = axis < 0 ? axis + rank + 1 : axis;
  if (from_front < 0 || from_front > rank) throw Error("axis " + std::to_string(axis) + " lies outside");
  return from_front;
}

}  // namespace

std::vector<ValueType> OneHot::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 3) throw Error("needs indices, depth and values");
  if (inputs[2].shape.elements() != 2) throw Error("values are " + inputs[2].shape.str() + ", not off and on");
  Shape shape = inputs[0].shape;
  shape.insert(shape.begin() + position(axis, shape.rank()), depth_of(inputs[1].constant));
  return {{inputs[2].dtype, shape}};
}

ValueId OneHot::expand(Expansion& to) const {
  const int64_t depth = depth_of(to.known(to.input(1)));
  const int64_t rank = to.shape(to.input(0)).rank(), at = position(axis, rank);
  auto whole = std::make_shared<Cast>();
  whole->to = DType::i64;
  auto apart = std::make_shared<Unsqueeze>();
  apart->axes = {at};
  const ValueId index = to.emit(apart, {to.emit(whole, {to.input(0)})});
  std::vector<int64_t> places(static_cast<size_t>(depth));
  std::iota(places.begin(), places.end(), int64_t{0});
  Shape along{depth};
  along.resize(static_cast<size_t>(rank - at + 1), 1);
  const ValueId place = to.constant(Tensor::copy_of<int64_t>(along, places));
  const ValueId from_end =
      to.emit(make_binary(Binary::Kind::add), {index, to.constant(Tensor::of<int64_t>({}, {depth}))});
  const ValueId hot = to.emit(make_comparison(Comparison::Kind::logical_or),
                              {to.emit(make_comparison(Comparison::Kind::equal), {index, place}),
                               to.emit(make_comparison(Comparison::Kind::equal), {from_end, place})});
  const auto value = [&](int64_t i) {
    return to.emit(std::make_shared<Gather>(), {to.input(2), to.constant(Tensor::of<int64_t>({}, {i}))});
  };
  const ValueId off = value(0), on = value(1);
  return to.emit(std::make_shared<Where>(), {hot, on, off});
}

}  // namespace graft
