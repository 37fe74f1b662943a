#include "runtime/ops/prelu.h"

#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {
namespace {

template <typename T>
struct Bend {
  const T *x, *slope;
  T* y;
  Indexer<3> places;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    const float v = value_of(x[p.at[1]]);
    y[p.at[0]] = rounded<T>(v > 0 ? v : v * value_of(slope[p.at[2]]));
  }
};

std::unique_ptr<Kernel> make(const Launcher& launcher, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &slope = r.inputs[1], &y = r.outputs[0];
  const Indexer<3> places(y.shape, {y.strides, x.strides, broadcast_strides(slope.shape, slope.strides, y.shape)});
  if (!is_real(y.dtype) || !all_of(r.inputs, y.dtype) || !places.fits()) return nullptr;
  return visit_real(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places](const KernelArguments& k) {
      launcher.each(places.count(), Bend<T>{static_cast<const T*>(k.inputs[0]), static_cast<const T*>(k.inputs[1]),
                                            static_cast<T*>(k.outputs[0]), places});
    });
  });
}

}  // namespace

void register_prelu(KernelTable& table, const Launcher& launcher) {
  table.add<PRelu>([&launcher](const PRelu&, const KernelRequest& r) { return make(launcher, r); });
}

}  // namespace graft::cuda
