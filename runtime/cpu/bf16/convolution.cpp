// Convolutions of bfloat16 pictures: what each pixel of the result sees is a row of a matrix, which is multiplied with
// the filters. Filters stay float32 in the graph and are rounded when they are packed.
#include "runtime/ops/convolution.h"

#include <vector>

#include "runtime/core/strided_copy.h"
#include "runtime/cpu/bf16/depthwise.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/norm_rows.h"
#include "runtime/cpu/bf16/winograd.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/dot_product.h"
#include "runtime/cpu/packed_weights.h"
#include "runtime/cpu/window_rows.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kBytes = 2;

class ConvolutionKernel final : public Kernel {
 public:
  ConvolutionKernel(const Convolution& op, const KernelRequest& r)
      : windows_(op.window, r.inputs[0], r.outputs[0], kBytes),
        product_(*bf16_tiles(), kBytes, pixels(r.outputs[0]), windows_.row_bytes() / kBytes, r.outputs[0].shape[1]),
        weights_(r.inputs[1], static_cast<int64_t>(product_.packed_bytes() / sizeof(float)),
                 [product = product_, channels = r.inputs[0].shape[1]](const float* w, float* packed) {
                   pack(product, channels, w, packed);
                 }),
        has_bias_(r.inputs.size() > 2 && r.inputs[2].present),
        tail_(op.tail),
        type_(r.outputs[0].dtype) {}
  size_t scratch_bytes() const override { return weights_.scratch_bytes() + product_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto* packed = reinterpret_cast<const std::byte*>(weights_.get(a.inputs[1], a.scratch));
    Bf16Tail tail;
    tail.bias = has_bias_ ? static_cast<const float*>(a.inputs[2]) : nullptr;
    tail.residual = tail_.residual ? static_cast<const std::byte*>(a.inputs[3]) : nullptr;
    tail.activation = tail_.activation;
    tail.type = type_;
    product_.run(
        [&](IndexRange rows, std::byte* room, int64_t pitch) -> PackedDotProduct<Bf16Tail>::Rows {
          if (windows_.is_every_pixel()) return product_.plain_rows(a.inputs[0], rows, room, pitch);
          windows_.gather(a.inputs[0], rows, std::byte{0}, room, pitch);
          return {room, pitch};
        },
        packed, tail, a.outputs[0], static_cast<std::byte*>(a.scratch) + weights_.scratch_bytes());
  }

 private:
  /// Filters n, channel, tap → for each filter taps, channels.
  static void pack(const PackedDotProduct<Bf16Tail>& product, int64_t channels, const float* w, float* packed) {
    const int64_t depth = product.depth(), taps = depth / channels;
    product.pack(
        [&](int64_t n, std::byte* to) {
          const float* const filter = w + n * depth;
          thread_local std::vector<float> line;
          line.resize(static_cast<size_t>(depth));
          for (int64_t c = 0; c < channels; ++c)
            for (int64_t t = 0; t < taps; ++t) line[static_cast<size_t>(t * channels + c)] = filter[c * taps + t];
          auto* const numbers = reinterpret_cast<uint16_t*>(to);
          bf16_loops()->narrow(depth, line.data(), numbers);
          if (depth % 2 != 0) numbers[depth] = 0;
        },
        reinterpret_cast<std::byte*>(packed));
  }

  WindowRows windows_;
  PackedDotProduct<Bf16Tail> product_;
  PackedWeights weights_;
  bool has_bias_;
  Epilogue tail_;
  DType type_;
};

/// Measures what a convolution made, after it.
class MeasuredAfterwards final : public Kernel {
 public:
  MeasuredAfterwards(std::unique_ptr<Kernel> convolution, const Shape& y)
      : convolution_(std::move(convolution)), channels_(y[1]), statistics_(y[0] * y[2] * y[3], y[1]) {}
  size_t scratch_bytes() const override { return std::max(convolution_->scratch_bytes(), statistics_.scratch_bytes()); }
  void refresh() override { convolution_->refresh(); }
  void run(const KernelArguments& a) override {
    convolution_->run({a.inputs, a.outputs.first(1), a.scratch, a.step});
    measure(statistics_, channels_, static_cast<const uint16_t*>(a.outputs[0]), a.scratch,
            static_cast<float*>(a.outputs[1]), static_cast<float*>(a.outputs[2]));
  }

 private:
  std::unique_ptr<Kernel> convolution_;
  int64_t channels_;
  ChannelStatistics statistics_;
};

std::unique_ptr<Kernel> forward(const Convolution& op, const KernelRequest& r) {
  if (op.statistics) {
    Convolution bare = op;
    bare.statistics = false;
    auto kernel = forward(bare, {bare, r.inputs, r.outputs.first(1), r.in_place_input});
    const Operand& y = r.outputs[0];
    if (!kernel || y.dtype != DType::bf16 || y.shape[1] > kMostChannels) return nullptr;
    return std::make_unique<MeasuredAfterwards>(std::move(kernel), y.shape);
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
