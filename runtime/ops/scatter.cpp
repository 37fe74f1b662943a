#include "runtime/ops/scatter.h"

#include <algorithm>
#include <numeric>

#include "runtime/core/error.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

int64_t inside(int64_t coordinate, int64_t extent) {
  const int64_t from_front = coordinate < 0 ? coordinate + extent : coordinate;
  if (from_front < 0 || from_front >= extent)
    throw Error("index " + std::to_string(coordinate) + " lies outside an extent of " + std::to_string(extent));
  return from_front;
}

/// Row-major distances between neighbours.
std::vector<int64_t> distances(const Shape& shape) {
  std::vector<int64_t> steps(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) steps[i - 1] = steps[i] * shape[i];
  return steps;
}

/// For each element of the result its place among those of data, which come first, and of updates.
std::vector<int64_t> sources_of_slices(const Shape& data, const Shape& indices, std::span<const int64_t> content) {
  std::vector<int64_t> from(static_cast<size_t>(data.elements()));
  std::iota(from.begin(), from.end(), int64_t{0});
  const auto named = static_cast<size_t>(indices.back());
  const std::vector<int64_t> step = distances(data);
  int64_t slice = 1;
  for (size_t i = named; i < data.size(); ++i) slice *= data[i];
  for (size_t update = 0; update * named < content.size(); ++update) {
    int64_t start = 0;
    for (size_t i = 0; i < named; ++i) start += inside(content[update * named + i], data[i]) * step[i];
    std::iota(from.begin() + start, from.begin() + start + slice,
              data.elements() + static_cast<int64_t>(update) * slice);
  }
  return from;
}

std::vector<int64_t> sources_of_elements(const Shape& data, const Shape& indices, std::span<const int64_t> content,
                                         size_t axis) {
  std::vector<int64_t> from(static_cast<size_t>(data.elements()));
  std::iota(from.begin(), from.end(), int64_t{0});
  const std::vector<int64_t> step = distances(data), own = distances(indices);
  for (size_t i = 0; i < content.size(); ++i) {
    int64_t place = 0;
    for (size_t d = 0; d < data.size(); ++d) {
      const int64_t at = static_cast<int64_t>(i) / own[d] % indices[d];
      place += (d == axis ? inside(content[i], data[d]) : at) * step[d];
    }
    from[static_cast<size_t>(place)] = data.elements() + static_cast<int64_t>(i);
  }
  return from;
}

size_t axis_of(int64_t axis, int64_t rank) {
  const int64_t from_front = axis < 0 ? axis + rank : axis;
  if (from_front < 0 || from_front >= rank) throw Error("axis " + std::to_string(axis) + " lies outside");
  return static_cast<size_t>(from_front);
}

}  // namespace

std::vector<ValueType> Scatter::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 3) throw Error("needs data, indices and updates");
  const Shape &data = inputs[0].shape, &indices = inputs[1].shape, &updates = inputs[2].shape;
  if (inputs[0].dtype != inputs[2].dtype) throw Error("data and updates differ in their element type");
  const auto refuse = [&] {
    throw Error("data " + data.str() + ", indices " + indices.str() + " and updates " + updates.str() + " do not fit");
  };
  if (of == Of::elements) {
    if (data.empty() || data.rank() != indices.rank() || indices != updates) refuse();
    const size_t along = axis_of(axis, data.rank());
    for (size_t i = 0; i < data.size(); ++i)
      if (i != along && indices[i] > data[i]) refuse();
  } else {
    if (indices.empty() || indices.back() < 0 || indices.back() > data.rank()) refuse();
    Shape wanted(std::vector<int64_t>(indices.begin(), indices.end() - 1));
    wanted.insert(wanted.end(), data.begin() + indices.back(), data.end());
    if (wanted != updates) refuse();
  }
  return {{inputs[0].dtype, data}};
}

ValueId Scatter::expand(Expansion& to) const {
  const Tensor* indices = to.known(to.input(1));
  if (!indices) throw Error("the indices depend on the data", {}, ErrorCode::unsupported);
  const Shape data = to.shape(to.input(0));
  const std::vector<int64_t> content = to_int64s(*indices);
  const std::vector<int64_t> from =
      of == Of::slices ? sources_of_slices(data, indices->shape(), content)
                       : sources_of_elements(data, indices->shape(), content, axis_of(axis, data.rank()));
  auto side_by_side = std::make_shared<Concat>();
  side_by_side->axis = 0;
  const ValueId all = to.emit(side_by_side, {to.reshape(to.input(0), {-1}), to.reshape(to.input(2), {-1})});
  const ValueId place = to.constant(Tensor::copy_of<int64_t>({static_cast<int64_t>(from.size())}, from));
  return to.reshape(to.emit(std::make_shared<Gather>(), {all, place}), data);
}

}  // namespace graft
