#include "runtime/ops/lrn.h"

#include <cmath>
#include <vector>

#include "runtime/core/parallel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

/// Gathers a pixel's channels when they do not lie side by side; `row` has room for them.
struct Pixels {
  int64_t batch, channels, height, width;
  Strides strides;
  explicit Pixels(const Operand& x)
      : batch(x.shape[0]), channels(x.shape[1]), height(x.shape[2]), width(x.shape[3]), strides(x.strides) {}
  int64_t count() const { return batch * height * width; }
  int64_t offset(int64_t p) const {
    return p / (height * width) * strides[0] + p / width % height * strides[2] + p % width * strides[3];
  }
  void load(const float* x, int64_t p, float* row) const {
    for (int64_t c = 0; c < channels; ++c) row[c] = x[offset(p) + c * strides[1]];
  }
  void store(const float* row, int64_t p, float* x) const {
    for (int64_t c = 0; c < channels; ++c) x[offset(p) + c * strides[1]] = row[c];
  }
};

class LrnKernel final : public Kernel {
 public:
  LrnKernel(const Lrn& op, const KernelRequest& r) : op_(op), x_(r.inputs[0]), y_(r.outputs[0]) {}
  size_t scratch_bytes() const override {
    return static_cast<size_t>(thread_count() * 3 * x_.channels) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    const auto* x = static_cast<const float*>(a.inputs[0]);
    auto* y = static_cast<float*>(a.outputs[0]);
    const float alpha = op_.alpha / static_cast<float>(op_.size);
    parallel_for(x_.count(), 8, [&](int64_t first, int64_t last, int64_t slot) {
      float* squares = static_cast<float*>(a.scratch) + slot * 3 * x_.channels;
      float *row = squares + x_.channels, *result = row + x_.channels;
      for (int64_t p = first; p < last; ++p) {
        if (x_.strides[1] == 1 && y_.strides[1] == 1) {
          vector_loops().lrn(x_.channels, op_.size, alpha, op_.beta, op_.bias, x + x_.offset(p), squares,
                             y + y_.offset(p));
        } else {
          x_.load(x, p, row);
          vector_loops().lrn(x_.channels, op_.size, alpha, op_.beta, op_.bias, row, squares, result);
          y_.store(result, p, y);
        }
      }
    });
  }

 private:
  Lrn op_;
  Pixels x_, y_;
};

/// With t_c = k + α/n·Σ x², y = x·t^-β: dx_c = dy_c·t_c^-β - 2αβ/n·x_c·Σ_{c' whose window holds c}
/// dy_c'·x_c'·t_c'^(-β-1).
class LrnGradientKernel final : public Kernel {
 public:
  LrnGradientKernel(const LrnGradient& op, const KernelRequest& r)
      : op_(op.forward), dy_(r.inputs[0]), x_(r.inputs[1]), dx_(r.outputs[0]) {}
  size_t scratch_bytes() const override {
    return static_cast<size_t>(thread_count() * 5 * x_.channels) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    const int64_t channels = x_.channels, before = (op_.size - 1) / 2, after = op_.size - 1 - before;
    const float alpha = op_.alpha / static_cast<float>(op_.size);
    parallel_for(x_.count(), 8, [&](int64_t first, int64_t last, int64_t slot) {
      float* x = static_cast<float*>(a.scratch) + slot * 5 * channels;
      float *dy = x + channels, *t = dy + channels, *ratio = t + channels, *dx = ratio + channels;
      for (int64_t p = first; p < last; ++p) {
        x_.load(static_cast<const float*>(a.inputs[1]), p, x);
        dy_.load(static_cast<const float*>(a.inputs[0]), p, dy);
        for (int64_t c = 0; c < channels; ++c) {
          float sum = 0;
          for (int64_t j = std::max<int64_t>(0, c - before); j <= std::min(channels - 1, c + after); ++j)
            sum += x[j] * x[j];
          t[c] = op_.bias + alpha * sum;
          ratio[c] = dy[c] * x[c] * std::pow(t[c], -op_.beta - 1);
        }
        for (int64_t c = 0; c < channels; ++c) {
          float sum = 0;
          for (int64_t j = std::max<int64_t>(0, c - after); j <= std::min(channels - 1, c + before); ++j)
            sum += ratio[j];
          dx[c] = dy[c] * std::pow(t[c], -op_.beta) - 2 * alpha * op_.beta * x[c] * sum;
        }
        dx_.store(dx, p, static_cast<float*>(a.outputs[0]));
      }
    });
  }

 private:
  Lrn op_;
  Pixels dy_, x_, dx_;
};

template <typename K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& request) {
  require_f32(request);
  return std::make_unique<K>(op, request);
}

}  // namespace

void register_lrn(KernelTable& table) {
  table.add<Lrn>(make<LrnKernel, Lrn>);
  table.add<LrnGradient>(make<LrnGradientKernel, LrnGradient>);
}

}  // namespace graft::cpu
