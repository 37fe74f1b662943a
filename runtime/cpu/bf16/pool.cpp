// Pooling of channels-last bfloat16 pictures; averages are summed in float32.
#include "runtime/ops/pool.h"

#include <algorithm>

#include "runtime/core/parallel.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/pool_window.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/ops/reduce.h"

namespace graft::cpu::bf16 {
namespace {

constexpr int64_t kMostTaps = 256, kChannels = 512;  // of a window; that are summed at once

/// A result of floats or of bfloat16 numbers.
void write(const float* sums, int64_t n, DType type, void* y, int64_t at) {
  if (type == DType::f32)
    std::copy_n(sums, n, static_cast<float*>(y) + at);
  else
    bf16_kernels()->loops.narrow(n, sums, static_cast<uint16_t*>(y) + at);
}

/// body(first channel, channels) for some channels at a time.
template <typename Body>
void by_channels(int64_t channels, const Body& body) {
  for (int64_t c = 0; c < channels; c += kChannels) body(c, std::min(kChannels, channels - c));
}

class MaxKernel final : public Kernel {
 public:
  MaxKernel(const MaxPool& op, const KernelRequest& r)
      : window_(op.window), x_(r.inputs[0].shape), y_(r.outputs[0].shape) {}
  void run(const KernelArguments& a) override {
    const Bf16Loops& loops = bf16_kernels()->loops;
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    auto* y = static_cast<uint16_t*>(a.outputs[0]);
    const int64_t channels = x_[1];
    parallel_for(y_[0] * y_[2], 1, [&](int64_t first, int64_t last) {
      const uint16_t* seen[kMostTaps];
      for (int64_t line = first; line < last; ++line)
        for (int64_t column = 0; column < y_[3]; ++column) {
          int64_t count = 0;
          for_taps(window_, {x_[2], x_[3]}, {line % y_[2], column}, [&](int64_t row, int64_t at) {
            seen[count++] = x + ((line / y_[2] * x_[2] + row) * x_[3] + at) * channels;
          });
          loops.max_of(channels, seen, count, y + (line * y_[3] + column) * channels);
        }
    });
  }

 private:
  Window2d window_;
  Shape x_, y_;
};

std::unique_ptr<Kernel> make_max(const MaxPool& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (x.dtype != DType::bf16 || y.dtype != DType::bf16 || op.keep_positions) return nullptr;
  if (op.window.kernel.height * op.window.kernel.width > kMostTaps) return nullptr;
  if (!is_channels_last(x) || !is_channels_last(y)) return nullptr;
  return std::make_unique<MaxKernel>(op, r);
}

class AverageKernel final : public Kernel {
 public:
  AverageKernel(const AveragePool& op, const KernelRequest& r)
      : window_(op.window),
        count_(op.count),
        x_(r.inputs[0].shape),
        y_(r.outputs[0].shape),
        type_(r.outputs[0].dtype) {}
  void run(const KernelArguments& a) override {
    const Bf16Loops& loops = bf16_kernels()->loops;
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    const int64_t channels = x_[1];
    parallel_for(y_[0] * y_[2], 1, [&](int64_t first, int64_t last) {
      for (int64_t line = first; line < last; ++line)
        for (int64_t column = 0; column < y_[3]; ++column) {
          const float weight = 1.0f / average_divisor(window_, count_, {x_[2], x_[3]}, {line % y_[2], column});
          by_channels(channels, [&](int64_t c, int64_t n) {
            float sums[kChannels] = {};
            for_taps(window_, {x_[2], x_[3]}, {line % y_[2], column}, [&](int64_t row, int64_t at) {
              loops.add_scaled(n, x + ((line / y_[2] * x_[2] + row) * x_[3] + at) * channels + c, weight, sums);
            });
            write(sums, n, type_, a.outputs[0], (line * y_[3] + column) * channels + c);
          });
        }
    });
  }

 private:
  Window2d window_;
  AveragePool::Count count_;
  Shape x_, y_;
  DType type_;
};

std::unique_ptr<Kernel> make_average(const AveragePool& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (x.dtype != DType::bf16 || !is_channels_last(x) || !is_channels_last(y)) return nullptr;
  return std::make_unique<AverageKernel>(op, r);
}

/// The mean over all pixels of each channel.
class GlobalMeanKernel final : public Kernel {
 public:
  GlobalMeanKernel(const Shape& x, DType type) : x_(x), type_(type) {}
  void run(const KernelArguments& a) override {
    const Bf16Loops& loops = bf16_kernels()->loops;
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    const int64_t channels = x_[1], pixels = x_[2] * x_[3];
    const int64_t parts = (channels + kChannels - 1) / kChannels;
    parallel_for(x_[0] * parts, 1, [&](int64_t first, int64_t last) {
      for (int64_t part = first; part < last; ++part) {
        const int64_t image = part / parts, c = part % parts * kChannels, n = std::min(kChannels, channels - c);
        float sums[kChannels] = {};
        for (int64_t p = 0; p < pixels; ++p) loops.add_scaled(n, x + (image * pixels + p) * channels + c, 1.0f, sums);
        for (float& sum : sums) sum /= static_cast<float>(pixels);
        write(sums, n, type_, a.outputs[0], image * channels + c);
      }
    });
  }

 private:
  Shape x_;
  DType type_;
};

std::unique_ptr<Kernel> make_reduce(const Reduce& op, const KernelRequest& r) {
  const Operand& x = r.inputs[0];
  if (op.kind != Reduce::Kind::mean || x.dtype != DType::bf16 || x.shape.rank() != 4 || !is_channels_last(x))
    return nullptr;
  if (op.reduced(4) != std::vector<bool>{false, false, true, true}) return nullptr;
  return std::make_unique<GlobalMeanKernel>(x.shape, r.outputs[0].dtype);
}

}  // namespace

void register_pool(KernelTable& table) {
  table.add<MaxPool>(make_max);
  table.add<AveragePool>(make_average);
  table.add<Reduce>(make_reduce);
}

}  // namespace graft::cpu::bf16
