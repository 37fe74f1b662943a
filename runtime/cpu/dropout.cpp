#include "runtime/ops/dropout.h"

#include "runtime/core/parallel.h"
#include "runtime/core/random.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

class DropoutKernel final : public Kernel {
 public:
  DropoutKernel(const Dropout& op, const KernelRequest& r)
      : op_(op),
        elements_(r.outputs[0].shape.elements()),
        shared_(op.whole_samples && elements_ > 0 ? elements_ / r.outputs[0].shape[0] : 1) {
    if (r.inputs[0].strides != r.outputs[0].strides) throw Error("dropout needs one layout");
  }
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    const float scale = op_.vanilla ? 1.0f : 1 / (1 - op_.ratio);
    const uint64_t key = mix(mix(a.step.seed, a.step.step), op_.stream);
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i)
        y[i] = uniform(key, static_cast<uint64_t>(i / shared_)) < op_.ratio ? 0.0f : x[i] * scale;
    });
  }

 private:
  Dropout op_;
  int64_t elements_, shared_;  // shared_: neighbours in memory that one draw decides for
};

std::unique_ptr<Kernel> make(const Dropout& op, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<DropoutKernel>(op, r);
}

}  // namespace

void register_dropout(KernelTable& table) { table.add<Dropout>(make); }

}  // namespace graft::cpu
