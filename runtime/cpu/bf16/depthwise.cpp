#include "runtime/cpu/bf16/depthwise.h"

#include "runtime/core/parallel.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/packed_weights.h"
#include "runtime/cpu/vector/bf16_kernels.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kMostLines = 64;  // of a kernel

class DepthwiseForward final : public Kernel {
 public:
  DepthwiseForward(const Convolution& op, const KernelRequest& r)
      : window_(op.window),
        x_(r.inputs[0].shape),
        y_(r.outputs[0].shape),
        weights_(
            r.inputs[1], r.inputs[1].shape.elements(),
            [channels = x_[1], taps = op.window.kernel.height * op.window.kernel.width](const float* w, float* to) {
              for (int64_t c = 0; c < channels; ++c)
                for (int64_t t = 0; t < taps; ++t) to[t * channels + c] = w[c * taps + t];
            }),
        has_bias_(r.inputs.size() > 2 && r.inputs[2].present),
        tail_(op.tail) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const float* weights = weights_.get(a.inputs[1], a.scratch);
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    auto* y = static_cast<uint16_t*>(a.outputs[0]);
    const int64_t channels = x_[1], height = x_[2], width = x_[3];
    parallel_for(y_[0] * y_[2], 1, [&](int64_t first, int64_t last) {
      const uint16_t* lines[kMostLines];
      for (int64_t row = first; row < last; ++row) {
        const int64_t top = row % y_[2] * window_.stride.height - window_.padding.top;
        for (int64_t t = 0; t < window_.kernel.height; ++t) {
          const int64_t at = top + t * window_.dilation.height;
          lines[t] = at >= 0 && at < height ? x + (row / y_[2] * height + at) * width * channels : nullptr;
        }
        bf16_kernels()->depthwise.row({channels, width, y_[3], window_.kernel.height, window_.kernel.width,
                                       window_.stride.width, window_.dilation.width, window_.padding.left, lines,
                                       weights, has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr,
                                       tail_.activation, y + row * y_[3] * channels});
      }
    });
  }

 private:
  Window2d window_;
  Shape x_, y_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
};

}  // namespace

std::unique_ptr<Kernel> depthwise_forward(const Convolution& op, const KernelRequest& r) {
  const int64_t channels = r.inputs[0].shape[1];
  if (op.groups != channels || r.outputs[0].shape[1] != channels || r.outputs[0].dtype != DType::bf16 ||
      op.tail.residual || op.window.kernel.height > kMostLines)
    return nullptr;
  return std::make_unique<DepthwiseForward>(op, r);
}

}  // namespace graft::cpu::bf16
