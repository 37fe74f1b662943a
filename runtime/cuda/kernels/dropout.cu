#include "runtime/core/random.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"
#include "runtime/cuda/numbers.h"
#include "runtime/ops/dropout.h"

namespace graft::cuda {
namespace {

/// The same draws as on the processor: the mask depends on (seed, step, random stream, element) alone.
template <typename T>
struct Draw {
  const T* x;
  T* y;
  const StepContext* step;
  uint32_t stream;
  float ratio, scale;
  int64_t shared;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const uint64_t key = mix(mix(step->seed, step->step), stream);
    y[i] =
        uniform(key, static_cast<uint64_t>(i / shared)) < ratio ? rounded<T>(0.0f) : rounded<T>(value_of(x[i]) * scale);
  }
};

std::unique_ptr<Kernel> make(const Launcher& launcher, const Dropout& op, const KernelRequest& r) {
  const Operand& y = r.outputs[0];
  if (!is_real(y.dtype) || r.inputs[0].strides != y.strides) return nullptr;
  const int64_t elements = y.shape.elements(), shared = op.whole_samples && elements > 0 ? elements / y.shape[0] : 1;
  const float scale = op.vanilla ? 1.0f : 1 / (1 - op.ratio);
  return visit_real(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, elements, shared, scale, ratio = op.ratio, rng_stream = op.stream](const KernelArguments& a) {
          launcher.each(elements, Draw<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]),
                                          launcher.step(), rng_stream, ratio, scale, shared});
        });
  });
}

}  // namespace

void register_dropout(KernelTable& table, const Launcher& launcher) {
  table.add<Dropout>([&launcher](const Dropout& op, const KernelRequest& r) { return make(launcher, op, r); });
}

}  // namespace graft::cuda
