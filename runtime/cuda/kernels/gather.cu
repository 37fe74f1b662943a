#include <type_traits>

#include "runtime/core/error.h"
#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/moves.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/movement.h"

namespace graft::cuda {
namespace {

/// `taken` has the shape of `whole` with the dimensions of `indices` in the place of one.
struct Geometry {
  int64_t step = 0, extent = 0;  // of that one dimension in `whole`
  Shape kept, listed;            // the other dimensions; those of the indices
  Strides whole_kept, taken_kept, taken_listed, index;

  Geometry(int64_t axis, const Operand& whole, const Operand& indices, const Operand& taken)
      : listed(indices.shape), index(indices.strides) {
    const auto at = static_cast<size_t>(resolve_axis(axis, whole.shape.rank())), rank = indices.shape.size();
    step = whole.strides[at];
    extent = whole.shape[at];
    for (size_t d = 0; d < whole.shape.size(); ++d) {
      if (d == at) continue;
      kept.push_back(whole.shape[d]);
      whole_kept.push_back(whole.strides[d]);
      taken_kept.push_back(taken.strides[d < at ? d : d + rank - 1]);
    }
    for (size_t d = 0; d < rank; ++d) taken_listed.push_back(taken.strides[at + d]);
  }
};

GRAFT_DEVICE inline int64_t resolved(int64_t index, int64_t extent) { return index < 0 ? index + extent : index; }

template <typename T, typename Index>
struct Take {
  const T* x;
  const Index* indices;
  T* y;
  Indexer<3> places;  // taken, whole, index
  int64_t step, extent;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = x[p.at[1] + resolved(indices[p.at[2]], extent) * step];
  }
};

/// What was taken several times adds up, in the order of the list.
template <typename T, typename Index>
struct AddTaken {
  const T* dy;
  const Index* indices;
  T* dx;
  Indexer<2> places;  // whole, taken
  Indexer<2> list;    // taken, index
  int64_t step, extent;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const int64_t element = i / extent, slice = i - element * extent;
    const auto p = places(element);
    float sum = 0;
    for (int64_t k = 0; k < list.count(); ++k) {
      const auto l = list(k);
      if (resolved(indices[l.at[1]], extent) == slice) sum += value_of(dy[p.at[1] + l.at[0]]);
    }
    dx[p.at[0] + slice * step] = rounded<T>(sum);
  }
};

/// The list is known when the plan is made, so that a wrong index is told then.
bool usable(const Operand& indices, int64_t extent) {
  if (!indices.constant || (indices.dtype != DType::i64 && indices.dtype != DType::i32)) return false;
  for (const int64_t index : to_int64s(*indices.constant))
    if (index < -extent || index >= extent)
      throw Error("index " + std::to_string(index) + " lies outside a dimension of " + std::to_string(extent));
  return true;
}

template <typename Visit>
auto visit_index(DType dtype, const Visit& visit) {
  return dtype == DType::i64 ? visit(int64_t{}) : visit(int32_t{});
}

std::unique_ptr<Kernel> make_gather(const Launcher& launcher, const Gather& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &indices = r.inputs[1], &y = r.outputs[0];
  const Geometry g(op.axis, x, indices, y);
  Shape shape = g.kept;
  Strides to = g.taken_kept, from = g.whole_kept, index(g.kept.size(), 0);
  for (size_t d = 0; d < g.listed.size(); ++d) {
    shape.push_back(g.listed[d]);
    to.push_back(g.taken_listed[d]);
    from.push_back(0);
    index.push_back(g.index[d]);
  }
  const Indexer<3> places(shape, {to, from, index});
  if (!usable(indices, g.extent) || !places.fits()) return nullptr;
  return visit_index(indices.dtype, [&](auto index_tag) {
    using Index = decltype(index_tag);
    return launched(
        [&launcher, places, bytes = size_of(x.dtype), step = g.step, extent = g.extent](const KernelArguments& k) {
          visit_bytes(bytes, [&](auto tag) {
            using T = decltype(tag);
            launcher.each(places.count(),
                          Take<T, Index>{static_cast<const T*>(k.inputs[0]), static_cast<const Index*>(k.inputs[1]),
                                         static_cast<T*>(k.outputs[0]), places, step, extent});
          });
        });
  });
}

std::unique_ptr<Kernel> make_gradient(const Launcher& launcher, const GatherGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &indices = r.inputs[1], &dx = r.outputs[0];
  const Geometry g(op.axis, dx, indices, dy);
  const Indexer<2> places(g.kept, {g.whole_kept, g.taken_kept}), list(g.listed, {g.taken_listed, g.index});
  if (!is_real(dx.dtype) || dy.dtype != dx.dtype || !usable(indices, g.extent) || !places.fits() || !list.fits())
    return nullptr;
  return visit_index(indices.dtype, [&](auto index_tag) {
    using Index = decltype(index_tag);
    return visit_real(dx.dtype, [&](auto tag) {
      using T = decltype(tag);
      return launched([&launcher, places, list, step = g.step, extent = g.extent](const KernelArguments& k) {
        launcher.each(places.count() * extent,
                      AddTaken<T, Index>{static_cast<const T*>(k.inputs[0]), static_cast<const Index*>(k.inputs[1]),
                                         static_cast<T*>(k.outputs[0]), places, list, step, extent});
      });
    });
  });
}

}  // namespace

void register_gather(KernelTable& table, const Launcher& launcher) {
  table.add<Gather>([&launcher](const Gather& op, const KernelRequest& r) { return make_gather(launcher, op, r); });
  table.add<GatherGradient>(
      [&launcher](const GatherGradient& op, const KernelRequest& r) { return make_gradient(launcher, op, r); });
}

}  // namespace graft::cuda
