#include "runtime/ops/rotary_embedding.h"

#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

struct Extents {
  int64_t batch, length, heads, size, turned;
};

Extents extents_of(const RotaryEmbedding& op, const Shape& x) {
  if (x.rank() == 4) return {x[0], x[2], x[1], x[3], op.width > 0 ? op.width : x[3]};
  if (x.rank() != 3 || op.heads < 1 || x[2] % op.heads != 0)
    throw Error("x " + x.str() + " is not of " + std::to_string(op.heads) + " heads");
  const int64_t size = x[2] / op.heads;
  return {x[0], x[1], op.heads, size, op.width > 0 ? op.width : size};
}

}  // namespace

std::vector<ValueType> RotaryEmbedding::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 3) throw Error("needs x, cosines and sines");
  const Extents e = extents_of(*this, inputs[0].shape);
  const Shape &cosines = inputs[1].shape, &sines = inputs[2].shape;
  const bool has_positions = inputs.size() > 3 && inputs[3].dtype != DType::f32;
  const Shape positions = has_positions ? inputs[3].shape : Shape{};
  bool fits = cosines == sines && width >= 0 && e.turned > 0 && e.turned <= e.size && e.turned % 2 == 0;
  if (!has_positions) {
    fits = fits && cosines == Shape{e.batch, e.length, e.turned / 2};
  } else {
    fits = fits && cosines.rank() == 2 && cosines[1] == e.turned / 2 &&
           (positions == Shape{e.batch, e.length} || (positions.elements() == 1 && cosines[0] >= e.length));
    if (const Tensor* known = inputs[3].constant; fits && known) {
      const int64_t last = positions == Shape{e.batch, e.length} ? cosines[0] - 1 : cosines[0] - e.length;
      for (int64_t position : to_int64s(*known)) fits = fits && position >= 0 && position <= last;
    }
  }
  if (!fits)
    throw Error("cosines " + cosines.str() + ", sines " + sines.str() +
                (has_positions ? " and positions " + positions.str() : "") + " do not turn " + inputs[0].shape.str());
  return {{inputs[0].dtype, inputs[0].shape}};
}

ValueId RotaryEmbedding::expand(Expansion& to) const {
  const Shape shape = to.shape(to.input(0));
  const Extents e = extents_of(*this, shape);
  const bool heads_first = shape.rank() == 4;
  // N×L×heads×D
  const ValueId x =
      heads_first ? to.transpose(to.input(0), {0, 2, 1, 3}) : to.reshape(to.input(0), {-1, e.length, e.heads, e.size});
  const auto part = [&](ValueId from, int64_t axis, int64_t first, int64_t last, int64_t step) {
    auto op = std::make_shared<Slice>();
    op->starts = {first};
    op->ends = {last};
    op->axes = {axis};
    op->steps = {step};
    return to.emit(op, {from});
  };
  // (N or 1)×L×1×width/2
  const auto angles = [&](size_t i) {
    ValueId rows = to.input(i);
    if (const ValueId positions = to.input(3); positions != kNoValue) {
      if (to.shape(positions) != Shape{e.batch, e.length}) {
        const Tensor* offset = to.known(positions);
        if (!offset) throw Error("the offset of positions depends on the data", {}, ErrorCode::unsupported);
        const int64_t first = to_int64s(*offset)[0];
        rows = part(rows, 0, first, first + e.length, 1);
      } else {
        rows = to.emit(std::make_shared<Gather>(), {rows, positions});
      }
    }
    return to.reshape(rows, {-1, e.length, 1, e.turned / 2});
  };
  const ValueId cosine = angles(1), sine = angles(2);
  const int64_t half = e.turned / 2;
  const ValueId first = interleaved ? part(x, 3, 0, e.turned, 2) : part(x, 3, 0, half, 1);
  const ValueId second = interleaved ? part(x, 3, 1, e.turned, 2) : part(x, 3, half, e.turned, 1);
  const auto combined = [&](Binary::Kind kind, ValueId by_first, ValueId by_second) {
    return to.emit(make_binary(kind), {to.emit(make_binary(Binary::Kind::mul), {first, by_first}),
                                       to.emit(make_binary(Binary::Kind::mul), {second, by_second})});
  };
  const ValueId real = combined(Binary::Kind::sub, cosine, sine), imaginary = combined(Binary::Kind::add, sine, cosine);
  auto joined = std::make_shared<Concat>();
  joined->axis = 3;
  ValueId turned = kNoValue;
  if (interleaved) {
    auto pairs = std::make_shared<Concat>();
    pairs->axis = 4;
    const auto apart = [&](ValueId v) { return to.reshape(v, {-1, e.length, e.heads, half, 1}); };
    turned = to.reshape(to.emit(pairs, {apart(real), apart(imaginary)}), {-1, e.length, e.heads, e.turned});
  } else {
    turned = to.emit(joined, {real, imaginary});
  }
  if (e.turned < e.size) turned = to.emit(joined, {turned, part(x, 3, e.turned, e.size, 1)});
  return heads_first ? to.transpose(turned, {0, 2, 1, 3}) : to.reshape(turned, {-1, e.length, e.heads * e.size});
}

}  // namespace graft
