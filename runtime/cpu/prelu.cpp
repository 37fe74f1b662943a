#include "runtime/ops/prelu.h"

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/broadcast.h"

namespace graft::cpu {
namespace {

template <typename T>
class PReluKernel final : public Kernel {
 public:
  explicit PReluKernel(const KernelRequest& r)
      : walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides,
                                   broadcast_strides(r.inputs[1].shape, r.inputs[1].strides, r.outputs[0].shape)}) {}
  void run(const KernelArguments& args) override {
    const T *x = static_cast<const T*>(args.inputs[0]), *slope = static_cast<const T*>(args.inputs[1]);
    T* y = static_cast<T*>(args.outputs[0]);
    walk_.run_parallel(0, kGrain, [&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) {
        const T v = x[at[1] + i * step[1]];
        y[at[0] + i * step[0]] = v > 0 ? v : static_cast<T>(v * slope[at[2] + i * step[2]]);
      }
    });
  }

 private:
  Walk<3> walk_;
};

std::unique_ptr<Kernel> make_prelu(const PRelu&, const KernelRequest& r) {
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(r.outputs[0].dtype, [&](auto tag) { kernel = std::make_unique<PReluKernel<decltype(tag)>>(r); });
  return kernel;
}

}  // namespace

void register_prelu(KernelTable& table) { table.add<PRelu>(make_prelu); }

}  // namespace graft::cpu
