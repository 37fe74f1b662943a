// Pooling of channels-last bfloat16 pictures; averages are summed in float32.
#include "runtime/ops/pool.h"

#include <algorithm>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/convolution/operands.h"
#include "runtime/cpu/pool_window.h"
#include "runtime/cpu/vector/dot_tiles.h"
#include "runtime/ops/reduce.h"

namespace graft::cpu::bf16 {
namespace {

/// A result of floats or of bfloat16 numbers.
void write(const std::vector<float>& sums, DType type, void* y, int64_t at) {
  if (type == DType::f32)
    std::copy(sums.begin(), sums.end(), static_cast<float*>(y) + at);
  else
    bf16_loops()->narrow(std::ssize(sums), sums.data(), static_cast<uint16_t*>(y) + at);
}

class MaxKernel final : public Kernel {
 public:
  MaxKernel(const MaxPool& op, const KernelRequest& r)
      : window_(op.window), x_(r.inputs[0].shape), y_(r.outputs[0].shape) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    auto* y = static_cast<uint16_t*>(a.outputs[0]);
    const int64_t channels = x_[1];
    parallel_for(y_[0] * y_[2], 1, [&](int64_t first, int64_t last) {
      std::vector<const uint16_t*> seen(static_cast<size_t>(window_.kernel.height * window_.kernel.width));
      for (int64_t line = first; line < last; ++line)
        for (int64_t column = 0; column < y_[3]; ++column) {
          int64_t count = 0;
          for_taps(window_, {x_[2], x_[3]}, {line % y_[2], column}, [&](int64_t row, int64_t at) {
            seen[static_cast<size_t>(count++)] = x + ((line / y_[2] * x_[2] + row) * x_[3] + at) * channels;
          });
          bf16_loops()->max_of(channels, seen.data(), count, y + (line * y_[3] + column) * channels);
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
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    const int64_t channels = x_[1];
    parallel_for(y_[0] * y_[2], 1, [&](int64_t first, int64_t last) {
      std::vector<float> sums(static_cast<size_t>(channels));
      for (int64_t line = first; line < last; ++line)
        for (int64_t column = 0; column < y_[3]; ++column) {
          std::fill(sums.begin(), sums.end(), 0.0f);
          const float weight = 1.0f / average_divisor(window_, count_, {x_[2], x_[3]}, {line % y_[2], column});
          for_taps(window_, {x_[2], x_[3]}, {line % y_[2], column}, [&](int64_t row, int64_t at) {
            bf16_loops()->add_scaled(channels, x + ((line / y_[2] * x_[2] + row) * x_[3] + at) * channels, weight,
                                     sums.data());
          });
          write(sums, type_, a.outputs[0], (line * y_[3] + column) * channels);
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
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    const int64_t channels = x_[1], pixels = x_[2] * x_[3];
    parallel_for(x_[0], 1, [&](int64_t first, int64_t last) {
      std::vector<float> sums(static_cast<size_t>(channels));
      for (int64_t n = first; n < last; ++n) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int64_t p = 0; p < pixels; ++p)
          bf16_loops()->add_scaled(channels, x + (n * pixels + p) * channels, 1.0f, sums.data());
        for (float& sum : sums) sum /= static_cast<float>(pixels);
        write(sums, type_, a.outputs[0], n * channels);
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
