#include "runtime/ops/scatter.h"

#include <limits>
#include <numeric>
#include <utility>

#include "runtime/core/dimensions.h"
#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/indexed_scatter.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

constexpr size_t kMostPlaces = size_t{1} << 26;  // in all gathers of one node

/// Row-major distances between neighbours.
std::vector<int64_t> distances(const Shape& shape) {
  std::vector<int64_t> steps(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) steps[i - 1] = steps[i] * shape[i];
  return steps;
}

/// (place in the data, place in the updates), in the order of the updates.
using Moves = std::vector<std::pair<int64_t, int64_t>>;

Moves moves_of_slices(const Shape& data, const Shape& indices, std::span<const int64_t> content) {
  Moves moves;
  const auto named = static_cast<size_t>(indices.back());
  const std::vector<int64_t> step = distances(data);
  int64_t slice = 1;
  for (size_t i = named; i < data.size(); ++i) slice *= data[i];
  for (size_t update = 0; update * named < content.size(); ++update) {
    int64_t start = 0;
    for (size_t i = 0; i < named; ++i) start += resolve_index(content[update * named + i], data[i]) * step[i];
    for (int64_t i = 0; i < slice; ++i) moves.emplace_back(start + i, static_cast<int64_t>(update) * slice + i);
  }
  return moves;
}

Moves moves_of_elements(const Shape& data, const Shape& indices, std::span<const int64_t> content, size_t axis) {
  Moves moves;
  const std::vector<int64_t> step = distances(data), own = distances(indices);
  for (size_t i = 0; i < content.size(); ++i) {
    int64_t place = 0;
    for (size_t d = 0; d < data.size(); ++d) {
      const int64_t at = static_cast<int64_t>(i) / own[d] % indices[d];
      place += (d == axis ? resolve_index(content[i], data[d]) : at) * step[d];
    }
    moves.emplace_back(place, static_cast<int64_t>(i));
  }
  return moves;
}

/// Combines nothing.
float neutral(Scatter::Reduction reduction) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (reduction) {
    case Scatter::Reduction::mul:
      return 1;
    case Scatter::Reduction::max:
      return -kInfinity;
    case Scatter::Reduction::min:
      return kInfinity;
    default:
      return 0;
  }
}

Binary::Kind combines(Scatter::Reduction reduction) {
  switch (reduction) {
    case Scatter::Reduction::mul:
      return Binary::Kind::mul;
    case Scatter::Reduction::max:
      return Binary::Kind::max;
    case Scatter::Reduction::min:
      return Binary::Kind::min;
    default:
      return Binary::Kind::add;
  }
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
  if (reduction != Reduction::none && inputs[0].dtype != DType::f32) throw Error("only floats are combined");
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
    if (indices.empty() || indices.back() < 1 || indices.back() > data.rank()) refuse();
    Shape wanted(std::vector<int64_t>(indices.begin(), indices.end() - 1));
    wanted.insert(wanted.end(), data.begin() + indices.back(), data.end());
    if (wanted != updates) refuse();
  }
  return {{inputs[0].dtype, data}};
}

ValueId Scatter::expand(Expansion& to) const {
  const Tensor* indices = to.known(to.input(1));
  if (!indices) {
    if (reduction != Reduction::none && reduction != Reduction::add)
      throw Error("combines, but does not add, at indices that depend on the data", {}, ErrorCode::unsupported);
    auto op = std::make_shared<IndexedScatter>();
    op->of = of == Of::slices ? IndexedScatter::Of::slices : IndexedScatter::Of::elements;
    op->adds = reduction == Reduction::add;
    op->axis = axis;
    return to.emit(op, {to.input(0), to.input(1), to.input(2)});
  }
  const Shape data = to.shape(to.input(0));
  const std::vector<int64_t> content = to_int64s(*indices);
  const Moves moves = of == Of::slices ? moves_of_slices(data, indices->shape(), content)
                                       : moves_of_elements(data, indices->shape(), content, axis_of(axis, data.rank()));
  auto side_by_side = std::make_shared<Concat>();
  side_by_side->axis = 0;
  const auto taken = [&](ValueId first, ValueId second, const std::vector<int64_t>& from) {
    const ValueId place = to.constant(Tensor::copy_of<int64_t>({static_cast<int64_t>(from.size())}, from));
    return to.emit(std::make_shared<Gather>(), {to.emit(side_by_side, {first, second}), place});
  };
  const ValueId flat = to.reshape(to.input(0), {-1}), updates = to.reshape(to.input(2), {-1});
  if (reduction == Reduction::none) {
    std::vector<int64_t> from(static_cast<size_t>(data.elements()));
    std::iota(from.begin(), from.end(), int64_t{0});
    for (const auto& [place, update] : moves) from[static_cast<size_t>(place)] = data.elements() + update;
    return to.reshape(taken(flat, updates, from), data);
  }
  // The first update of each place, then the second, and so on; where there is none, what changes nothing.
  std::vector<std::vector<int64_t>> rounds;
  std::vector<size_t> got(static_cast<size_t>(data.elements()), 0);
  for (const auto& [place, update] : moves) {
    const size_t round = got[static_cast<size_t>(place)]++;
    if (round == rounds.size()) {
      if ((rounds.size() + 1) * got.size() > kMostPlaces)
        throw Error("combines too many updates of one place", {}, ErrorCode::unsupported);
      rounds.emplace_back(got.size(), 0);
    }
    rounds[round][static_cast<size_t>(place)] = 1 + update;
  }
  const ValueId nothing = to.constant(Tensor::of<float>({1}, {neutral(reduction)}));
  ValueId y = flat;
  for (const auto& from : rounds) y = to.emit(make_binary(combines(reduction)), {y, taken(nothing, updates, from)});
  return to.reshape(y, data);
}

}  // namespace graft
