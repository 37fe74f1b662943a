#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/moves.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/arrangement.h"
#include "runtime/ops/pixel_rows.h"

namespace graft::cuda {
namespace {

std::unique_ptr<Kernel> arranged(const Launcher& launcher, const Arrangement& a, const KernelRequest& r) {
  return moves(launcher, r, {{0, a.from_offset, 0, Indexer<2>(a.shape, {a.to, a.from})}});
}

/// dx is the sum over the repeats of what lies there.
template <typename T>
struct AddRepeats {
  const T* dy;
  T* dx;
  Indexer<2> places;  // dx, dy
  Indexer<1> repeats;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    float sum = 0;
    for (int64_t k = 0; k < repeats.count(); ++k) sum += value_of(dy[p.at[1] + repeats(k).at[0]]);
    dx[p.at[0]] = rounded<T>(sum);
  }
};

std::unique_ptr<Kernel> make_tile_gradient(const Launcher& launcher, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &dx = r.outputs[0];
  const Arrangement a = tiled(dx, dy);
  Shape kept, repeated;
  Strides single, first, others;
  for (size_t d = 0; d < a.shape.size(); ++d) {
    if (a.from[d] == 0) {
      repeated.push_back(a.shape[d]);
      others.push_back(a.to[d]);
    } else {
      kept.push_back(a.shape[d]);
      single.push_back(a.from[d]);
      first.push_back(a.to[d]);
    }
  }
  const Indexer<2> places(kept, {single, first});
  const Indexer<1> repeats(repeated, {others});
  if (!is_real(dx.dtype) || dy.dtype != dx.dtype || !places.fits() || !repeats.fits()) return nullptr;
  return visit_real(dx.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places, repeats](const KernelArguments& k) {
      launcher.each(places.count(),
                    AddRepeats<T>{static_cast<const T*>(k.inputs[0]), static_cast<T*>(k.outputs[0]), places, repeats});
    });
  });
}

}  // namespace

void register_rearrange(KernelTable& table, const Launcher& launcher) {
  table.add<SplitSlice>([&launcher](const SplitSlice& op, const KernelRequest& r) {
    return arranged(launcher, part(op, r.inputs[0], r.outputs[0]), r);
  });
  table.add<Tile>([&launcher](const Tile&, const KernelRequest& r) {
    return arranged(launcher, tiled(r.inputs[0], r.outputs[0]), r);
  });
  table.add<TileGradient>(
      [&launcher](const TileGradient&, const KernelRequest& r) { return make_tile_gradient(launcher, r); });
  table.add<DepthSpace>([&launcher](const DepthSpace& op, const KernelRequest& r) {
    return arranged(launcher, depth_space(op, r.inputs[0], r.outputs[0]), r);
  });
  table.add<PixelsToRows>([&launcher](const PixelsToRows&, const KernelRequest& r) {
    return arranged(launcher, pixel_rows(r.inputs[0], false), r);
  });
  table.add<RowsToPixels>([&launcher](const RowsToPixels&, const KernelRequest& r) {
    return arranged(launcher, pixel_rows(r.outputs[0], true), r);
  });
}

}  // namespace graft::cuda
