#include "runtime/ops/pool.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/core/isa.h"
#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/pool_window.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

/// A picture as pooling walks it: channel vectors when channels lie last, single planes otherwise.
struct Plane {
  int64_t batch, channels, height, width;
  Strides strides;
  bool vectors;  // channels contiguous
};

Plane plane_of(const Operand& x) {
  return {x.shape[0], x.shape[1], x.shape[2], x.shape[3], x.strides, x.strides[1] == 1};
}

/// Channels that a thread works on where there are fewer pictures than threads.
constexpr int64_t kChannels = 64;

struct Channels {
  int64_t first, count;
};

/// Calls body(first channel, channel count) in a way that serves both layouts: with vectors, once with all of them;
/// otherwise once a channel.
template <typename Body>
void for_channels(const Plane& p, Channels channels, const Body& body) {
  if (p.vectors) return body(channels.first, channels.count);
  for (int64_t c = channels.first; c < channels.first + channels.count; ++c) body(c, int64_t{1});
}

class MaxKernel final : public Kernel {
 public:
  MaxKernel(const MaxPool& op, const KernelRequest& r)
      : window_(op.window), positions_(op.keep_positions), x_(plane_of(r.inputs[0])), y_(plane_of(r.outputs[0])) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    auto* positions = positions_ ? static_cast<int32_t*>(a.outputs[1]) : nullptr;
    parallel_for(y_.batch * y_.height, 1, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row) {
        for (int64_t w = 0; w < y_.width; ++w) one(x, y, positions, row / y_.height, row % y_.height, w);
      }
    });
  }

 private:
  void one(const float* x, float* y, int32_t* positions, int64_t n, int64_t h, int64_t w) const {
    const Extent2d picture{x_.height, x_.width};
    const Taps rows = row_taps(window_, picture, h), columns = column_taps(window_, picture, w);
    for_channels(x_, {0, x_.channels}, [&](int64_t c, int64_t count) {
      const int64_t out = n * y_.strides[0] + c * y_.strides[1] + h * y_.strides[2] + w * y_.strides[3];
      std::fill_n(y + out, count, -std::numeric_limits<float>::infinity());
      if (positions) std::fill_n(positions + out, count, 0);
      for (int64_t i = rows.first; i < rows.last; ++i) {
        const int64_t ih = h * window_.stride.height - window_.padding.top + i * window_.dilation.height;
        for (int64_t j = columns.first; j < columns.last; ++j) {
          const int64_t iw = w * window_.stride.width - window_.padding.left + j * window_.dilation.width;
          const float* tap = x + n * x_.strides[0] + c * x_.strides[1] + ih * x_.strides[2] + iw * x_.strides[3];
          loops_.max_accumulate(count, tap, y + out, positions ? positions + out : nullptr,
                                static_cast<int32_t>(ih * x_.width + iw));
        }
      }
    });
  }
  const VectorLoops& loops_ = vector_loops();
  Window2d window_;
  bool positions_;
  Plane x_, y_;
};

/// Scatters dL/dy to where the maxima stood. Pictures and channels are independent, so threads share those.
class MaxGradientKernel final : public Kernel {
 public:
  MaxGradientKernel(const MaxPoolGradient&, const KernelRequest& r)
      : dy_(plane_of(r.inputs[0])), dx_(plane_of(r.outputs[0])) {
    if (!dy_.vectors || !dx_.vectors) throw Error("the gradient of pooling needs channels-last operands");
  }
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    const auto* positions = static_cast<const int32_t*>(a.inputs[1]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    const int64_t block = dy_.batch >= thread_count() ? std::max<int64_t>(1, dx_.channels) : kChannels;
    const int64_t blocks = (dx_.channels + block - 1) / block;
    parallel_for(dy_.batch * blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t n = unit / blocks, c0 = unit % blocks * block, c1 = std::min(dx_.channels, c0 + block);
        float* picture = dx + n * dx_.strides[0];
        for (int64_t p = 0; p < dx_.height * dx_.width; ++p)
          std::fill_n(picture + p * dx_.channels + c0, c1 - c0, 0.0f);
        const int64_t pixels = dy_.height * dy_.width, base = n * dy_.strides[0];
        for (int64_t p = 0; p < pixels; ++p) {
          const int64_t at = base + p * dy_.channels;
          for (int64_t c = c0; c < c1; ++c)
            picture[static_cast<int64_t>(positions[at + c]) * dx_.channels + c] += dy[at + c];
        }
      }
    });
  }

 private:
  Plane dy_, dx_;
};

enum class Direction { forward, backward };

template <Direction direction>
class AverageKernel final : public Kernel {
 public:
  AverageKernel(const Window2d& window, AveragePool::Count count, const Operand& x, const Operand& y)
      : window_(window), count_(count), x_(plane_of(x)), y_(plane_of(y)) {}
  void run(const KernelArguments& a) override {
    const auto* in = static_cast<const float*>(a.inputs[0]);
    auto* out = static_cast<float*>(a.outputs[0]);
    // Rows of the result are apart from one another; those of its gradient overlap, and channels are shared out
    // instead.
    if (direction == Direction::forward) {
      parallel_for(y_.batch * y_.height, 1, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row)
          for (int64_t w = 0; w < y_.width; ++w) one(in, out, row / y_.height, row % y_.height, w, {0, x_.channels});
      });
      return;
    }
    const int64_t block = x_.batch >= thread_count() ? std::max<int64_t>(1, x_.channels) : kChannels;
    const int64_t blocks = (x_.channels + block - 1) / block;
    parallel_for(x_.batch * blocks, 1, [&](int64_t first, int64_t last) {
      for (int64_t unit = first; unit < last; ++unit) {
        const int64_t n = unit / blocks, c = unit % blocks * block;
        const Channels channels{c, std::min(block, x_.channels - c)};
        for (int64_t h = 0; h < x_.height; ++h)
          for (int64_t w = 0; w < x_.width; ++w)
            for_channels(x_, channels, [&](int64_t at, int64_t count) {
              std::fill_n(out + n * x_.strides[0] + at * x_.strides[1] + h * x_.strides[2] + w * x_.strides[3], count,
                          0.0f);
            });
        for (int64_t h = 0; h < y_.height; ++h)
          for (int64_t w = 0; w < y_.width; ++w) one(in, out, n, h, w, channels);
      }
    });
  }

 private:
  void one(const float* in, float* out, int64_t n, int64_t h, int64_t w, Channels channels) const {
    const Extent2d picture{x_.height, x_.width};
    const Taps rows = row_taps(window_, picture, h), columns = column_taps(window_, picture, w);
    const float weight = 1.0f / average_divisor(window_, count_, picture, {h, w});
    for_channels(x_, channels, [&](int64_t c, int64_t count) {
      const int64_t y_at = n * y_.strides[0] + c * y_.strides[1] + h * y_.strides[2] + w * y_.strides[3];
      if (direction == Direction::forward) std::fill_n(out + y_at, count, 0.0f);
      for (int64_t i = rows.first; i < rows.last; ++i) {
        const int64_t ih = h * window_.stride.height - window_.padding.top + i * window_.dilation.height;
        for (int64_t j = columns.first; j < columns.last; ++j) {
          const int64_t iw = w * window_.stride.width - window_.padding.left + j * window_.dilation.width;
          const int64_t x_at = n * x_.strides[0] + c * x_.strides[1] + ih * x_.strides[2] + iw * x_.strides[3];
          if (direction == Direction::forward)
            loops_.add_scaled(count, in + x_at, weight, out + y_at);
          else
            loops_.add_scaled(count, in + y_at, weight, out + x_at);
        }
      }
    });
  }
  const VectorLoops& loops_ = vector_loops();
  Window2d window_;
  AveragePool::Count count_;
  Plane x_, y_;
};

/// The maximum of bytes that stand for numbers in the same order.
template <typename Byte>
class ByteMaxKernel final : public Kernel {
 public:
  ByteMaxKernel(const MaxPool& op, const KernelRequest& r)
      : window_(op.window), x_(plane_of(r.inputs[0])), y_(plane_of(r.outputs[0])) {}
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const Byte*>(a.inputs[0]);
    auto* y = static_cast<Byte*>(a.outputs[0]);
    parallel_for(y_.batch * y_.height, 1, [&](int64_t first, int64_t last) {
      for (int64_t row = first; row < last; ++row)
        for (int64_t w = 0; w < y_.width; ++w) one(x, y, row / y_.height, {row % y_.height, w});
    });
  }

 private:
  void one(const Byte* x, Byte* y, int64_t n, Extent2d out) const {
    for_channels(x_, {0, x_.channels}, [&](int64_t c, int64_t count) {
      Byte* const best =
          y + n * y_.strides[0] + c * y_.strides[1] + out.height * y_.strides[2] + out.width * y_.strides[3];
      std::fill_n(best, count, std::numeric_limits<Byte>::lowest());
      for_taps(window_, {x_.height, x_.width}, out, [&](int64_t row, int64_t column) {
        const Byte* const tap =
            x + n * x_.strides[0] + c * x_.strides[1] + row * x_.strides[2] + column * x_.strides[3];
        on_best_isa([=] {
          for (int64_t i = 0; i < count; ++i) best[i] = best[i] < tap[i] ? tap[i] : best[i];
        });
      });
    });
  }
  Window2d window_;
  Plane x_, y_;
};

std::unique_ptr<Kernel> make_max(const MaxPool& op, const KernelRequest& r) {
  if (!op.keep_positions && r.inputs[0].dtype == DType::u8) return std::make_unique<ByteMaxKernel<uint8_t>>(op, r);
  if (!op.keep_positions && r.inputs[0].dtype == DType::i8) return std::make_unique<ByteMaxKernel<int8_t>>(op, r);
  if (r.inputs[0].dtype != DType::f32)
    throw Error(std::string("pooling of ") + name_of(r.inputs[0].dtype) + " is not supported");
  return std::make_unique<MaxKernel>(op, r);
}
std::unique_ptr<Kernel> make_max_gradient(const MaxPoolGradient& op, const KernelRequest& r) {
  return std::make_unique<MaxGradientKernel>(op, r);
}
std::unique_ptr<Kernel> make_average(const AveragePool& op, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<AverageKernel<Direction::forward>>(op.window, op.count, r.inputs[0], r.outputs[0]);
}
std::unique_ptr<Kernel> make_average_gradient(const AveragePoolGradient& op, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<AverageKernel<Direction::backward>>(op.window, op.count, r.outputs[0], r.inputs[0]);
}

}  // namespace

void register_pool(KernelTable& table) {
  table.add<MaxPool>(make_max);
  table.add<MaxPoolGradient>(make_max_gradient);
  table.add<AveragePool>(make_average);
  table.add<AveragePoolGradient>(make_average_gradient);
}

}  // namespace graft::cpu
