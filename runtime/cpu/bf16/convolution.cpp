// Convolutions of bfloat16 pictures: what each pixel of the result sees is a row of a matrix, which is multiplied with
// the filters. Filters stay float32 in the graph and are rounded when they are packed.
#include "runtime/ops/convolution.h"

#include "runtime/core/strided_copy.h"
#include "runtime/cpu/bf16/depthwise.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/norm_rows.h"
#include "runtime/cpu/bf16/rounded_product.h"
#include "runtime/cpu/bf16/winograd.h"
#include "runtime/cpu/convolution/afterwards.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/window_rows.h"

namespace graft::cpu::bf16 {
namespace {

/// A filter lies by channel and tap; windows lie by tap and channel.
auto taps_first(const Shape& w) {
  return [channels = w[1], taps = w[2] * w[3]](const float* all, int64_t n, float* buffer) {
    const float* const filter = all + n * channels * taps;
    if (taps == 1) return filter;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t t = 0; t < taps; ++t) buffer[t * channels + c] = filter[c * taps + t];
    return static_cast<const float*>(buffer);
  };
}

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Convolution& op, const KernelRequest& r)
      : windows_(op.window, r.inputs[0], r.outputs[0], RoundedProduct::kBytes),
        product_(pixels(r.outputs[0]), windows_.row_bytes() / RoundedProduct::kBytes, r.outputs[0].shape[1],
                 r.inputs[1], RoundedProduct::by_lines(taps_first(r.inputs[1].shape))),
        tail_(op.tail, r) {}
  size_t scratch_bytes() const override { return product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    product_.run(
        [&](IndexRange rows, std::byte* buffer, int64_t pitch) -> RoundedProduct::Rows {
          if (windows_.is_every_pixel()) return product_.product().plain_rows(a.inputs[0], rows, buffer, pitch);
          windows_.gather(a.inputs[0], rows, std::byte{0}, buffer, pitch);
          return {buffer, pitch};
        },
        a.inputs[1], tail_.of(a), a.outputs[0], a.scratch);
  }

 private:
  WindowRows windows_;
  RoundedProduct product_;
  LayerTail tail_;
};

std::unique_ptr<Kernel> forward(const Convolution& op, const KernelRequest& r) {
  if (op.statistics) {
    Convolution bare = op;
    bare.statistics = false;
    auto kernel = forward(bare, {bare, r.inputs, r.outputs.first(1), r.in_place_input});
    const Operand& y = r.outputs[0];
    if (!kernel || y.dtype != DType::bf16 || y.shape[1] > kMostChannels) return nullptr;
    return std::make_unique<MeasuredAfterwards<Bf16Rows>>(std::move(kernel), y.shape);
  }
  const Operand &x = r.inputs[0], &w = r.inputs[1], &y = r.outputs[0];
  const bool types =
      x.dtype == DType::bf16 && w.dtype == DType::f32 && (!op.tail.residual || r.inputs[3].dtype == y.dtype);
  if (!is_row_major(w.shape, w.strides)) return nullptr;  // which the float form copies
  const bool plain_bias = r.inputs.size() < 3 || !r.inputs[2].present || r.inputs[2].shape.elements() == y.shape[1];
  if (x.shape[1] == 0 || y.shape.elements() == 0 || !plain_bias) return nullptr;
  if (!types || !is_channels_last(x) || !is_channels_last(y)) return nullptr;
  if (auto kernel = depthwise_forward(op, r)) return kernel;
  if (op.groups != 1) return nullptr;
  if (auto kernel = winograd_forward(op, r)) return kernel;
  return std::make_unique<ConvolutionKernel>(op, r);
}

}  // namespace

void register_convolution(KernelTable& table) { table.add<Convolution>(forward); }

}  // namespace graft::cpu::bf16
