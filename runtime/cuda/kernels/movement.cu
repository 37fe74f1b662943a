#include "runtime/ops/movement.h"

#include <cstring>

#include "runtime/core/strided_copy.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/moves.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/broadcast.h"
#include "runtime/ops/reshape.h"

namespace graft::cuda {
namespace {

/// Elements keep their logical order: by way of row-major order where neither side lies so.
std::unique_ptr<Kernel> make_reshape(const Launcher& launcher, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const size_t bytes = size_of(x.dtype);
  const Move to_plain{0, 0, 0, Indexer<2>(x.shape, {plain_strides(x.shape), x.strides})},
      from_plain{0, 0, 0, Indexer<2>(y.shape, {y.strides, plain_strides(y.shape)})};
  if (!to_plain.places.fits() || !from_plain.places.fits()) return nullptr;
  if (is_row_major(y.shape, y.strides)) return moves(launcher, r, {to_plain});
  if (is_row_major(x.shape, x.strides)) return moves(launcher, r, {from_plain});
  return launched(
      [&launcher, bytes, to_plain, from_plain](const KernelArguments& a) {
        move(launcher, bytes, to_plain, a.inputs[0], a.scratch);
        move(launcher, bytes, from_plain, a.scratch, a.outputs[0]);
      },
      static_cast<size_t>(x.shape.elements()) * bytes);
}

std::unique_ptr<Kernel> make_transpose(const Launcher& launcher, const Transpose& op, const KernelRequest& r) {
  Strides from;
  for (size_t i : op.order(r.inputs[0].shape.rank())) from.push_back(r.inputs[0].strides[i]);
  return moves(launcher, r, {{0, 0, 0, Indexer<2>(r.outputs[0].shape, {r.outputs[0].strides, from})}});
}

std::unique_ptr<Kernel> make_concat(const Launcher& launcher, const Concat& op, const KernelRequest& r) {
  const Operand& y = r.outputs[0];
  const auto axis = static_cast<size_t>(resolve_axis(op.axis, y.shape.rank()));
  std::vector<Move> parts;
  int64_t offset = 0;
  for (size_t i = 0; i < r.inputs.size(); ++i) {
    const Operand& x = r.inputs[i];
    parts.push_back({i, 0, offset * y.strides[axis], Indexer<2>(x.shape, {y.strides, x.strides})});
    offset += x.shape[axis];
  }
  return moves(launcher, r, std::move(parts));
}

/// Where a slice lies in the whole.
struct Section {
  int64_t offset = 0;
  Strides strides;
  Section(const std::vector<Slice::Range>& ranges, const Strides& whole) : strides(whole) {
    for (size_t i = 0; i < ranges.size(); ++i) {
      offset += ranges[i].start * whole[i];
      strides[i] *= ranges[i].step;
    }
  }
};

std::unique_ptr<Kernel> make_slice(const Launcher& launcher, const Slice& op, const KernelRequest& r) {
  const Section section(op.ranges(types_of(r.inputs)), r.inputs[0].strides);
  return moves(launcher, r,
               {{0, section.offset, 0, Indexer<2>(r.outputs[0].shape, {r.outputs[0].strides, section.strides})}});
}

std::unique_ptr<Kernel> make_slice_gradient(const Launcher& launcher, const SliceGradient& op, const KernelRequest& r) {
  const Section section(op.ranges, r.outputs[0].strides);
  return moves(launcher, r,
               {{0, 0, section.offset, Indexer<2>(r.inputs[0].shape, {section.strides, r.inputs[0].strides})}}, true);
}

std::unique_ptr<Kernel> make_pad(const Launcher& launcher, const Pad& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (op.mode != Pad::Mode::constant) return nullptr;
  const auto pads = op.resolved_pads(types_of(r.inputs));
  Shape kept = x.shape;
  Move part;
  for (size_t d = 0; d < kept.size(); ++d) {
    const int64_t before = pads[d], after = pads[d + kept.size()];
    kept[d] += std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
    part.from += std::max<int64_t>(-before, 0) * x.strides[d];
    part.to += std::max<int64_t>(before, 0) * y.strides[d];
  }
  part.places = Indexer<2>(kept, {y.strides, x.strides});
  uint64_t pattern = 0;
  if (r.inputs.size() > 2 && r.inputs[2].present) {
    if (!r.inputs[2].constant) return nullptr;
    if (r.inputs[2].constant->elements() > 0) std::memcpy(&pattern, r.inputs[2].constant->raw(), size_of(x.dtype));
  } else if (op.fill != 0) {
    const Tensor value = cast(Tensor::of<float>({1}, {op.fill}), x.dtype);
    std::memcpy(&pattern, value.raw(), size_of(x.dtype));
  }
  return moves(launcher, r, {part}, true, pattern);
}

std::unique_ptr<Kernel> make_expand(const Launcher& launcher, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  return moves(launcher, r,
               {{0, 0, 0, Indexer<2>(y.shape, {y.strides, broadcast_strides(x.shape, x.strides, y.shape)})}});
}

template <typename From, typename To>
struct CastOne {
  const From* from;
  To* to;
  GRAFT_DEVICE void operator()(int64_t i) const { to[i] = stored<To>(value_of(from[i])); }
};

std::unique_ptr<Kernel> make_cast(const Launcher& launcher, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (x.strides != y.strides) return nullptr;
  return visit_any(x.dtype, [&](auto from) {
    return visit_any(y.dtype, [&](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      return launched([&launcher, elements = y.shape.elements()](const KernelArguments& a) {
        launcher.each(elements,
                      CastOne<From, To>{static_cast<const From*>(a.inputs[0]), static_cast<To*>(a.outputs[0])});
      });
    });
  });
}

template <typename Op>
void add_reshape(KernelTable& table, const Launcher& launcher) {
  table.add<Op>([&launcher](const Op&, const KernelRequest& r) { return make_reshape(launcher, r); });
}

}  // namespace

void register_movement(KernelTable& table, const Launcher& launcher) {
  table.add<Transpose>(
      [&launcher](const Transpose& op, const KernelRequest& r) { return make_transpose(launcher, op, r); });
  table.add<Concat>([&launcher](const Concat& op, const KernelRequest& r) { return make_concat(launcher, op, r); });
  table.add<Slice>([&launcher](const Slice& op, const KernelRequest& r) { return make_slice(launcher, op, r); });
  table.add<SliceGradient>(
      [&launcher](const SliceGradient& op, const KernelRequest& r) { return make_slice_gradient(launcher, op, r); });
  table.add<Pad>([&launcher](const Pad& op, const KernelRequest& r) { return make_pad(launcher, op, r); });
  table.add<Expand>([&launcher](const Expand&, const KernelRequest& r) { return make_expand(launcher, r); });
  table.add<Cast>([&launcher](const Cast&, const KernelRequest& r) { return make_cast(launcher, r); });
  add_reshape<Reshape>(table, launcher);
  add_reshape<ReshapeTo>(table, launcher);
  add_reshape<Flatten>(table, launcher);
  add_reshape<Squeeze>(table, launcher);
  add_reshape<Unsqueeze>(table, launcher);
  add_reshape<Identity>(table, launcher);
}

}  // namespace graft::cuda
