#include "runtime/ops/batch_norm.h"

#include <cmath>

#include "runtime/core/parallel.h"
#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/norm_formulas.h"
#include "runtime/cpu/norm_gradient_sums.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

/// Results from this size on push themselves out of the last cache before the next layer comes to read their beginning.
constexpr int64_t kPastCaches = int64_t{24} << 20;

/// Rows and channels of an operand that lies channels-last (or is two-dimensional).
struct Rows {
  int64_t rows, channels;
};

Rows rows_of(const Operand& x) {
  const bool last = x.shape.rank() == 2 || (x.shape.rank() == 4 && x.strides[1] == 1);
  if (!last) throw Error("batch norm needs its input channels-last or two-dimensional, found " + x.shape.str());
  const int64_t channels = x.shape[1];
  return {channels == 0 ? 0 : x.shape.elements() / channels, channels};
}

/// Fixed statistics on any layout by two strides; the fast path is channels-last.
class FixedKernel final : public Kernel {
 public:
  FixedKernel(const BatchNorm& op, const KernelRequest& r)
      : op_(op),
        shape_(r.inputs[0].shape),
        walk_(shape_, {r.outputs[0].strides, r.inputs[0].strides, along_channels(shape_)}) {
    channels_ = shape_[1];
    const Strides& strides = r.inputs[0].strides;
    channels_last_ = (shape_.rank() == 2 || (shape_.rank() == 4 && strides[1] == 1)) && strides == r.outputs[0].strides;
    if (!channels_last_ && op.tail.residual) throw Error("a residual needs channels-last operands");
  }
  size_t scratch_bytes() const override { return static_cast<size_t>(2 * channels_) * sizeof(float); }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    float *slope = static_cast<float*>(a.scratch), *shift = slope + channels_;
    slope_and_shift(channels_, in(1), in(2), in(3), in(4), op_.epsilon, slope, shift);
    float* y = static_cast<float*>(a.outputs[0]);
    const float* residual = op_.tail.residual ? in(5) : nullptr;
    if (channels_last_) {
      parallel_for(shape_.elements() / std::max<int64_t>(channels_, 1), 16, [&](int64_t first, int64_t last) {
        const int64_t at = first * channels_;
        vector_loops().affine({last - first, channels_, in(0) + at, slope, shift, residual ? residual + at : nullptr,
                               op_.tail.activation, y + at});
      });
      return;
    }
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) {
        const int64_t c = at[2] + i * step[2];
        const float v = in(0)[at[1] + i * step[1]] * slope[c] + shift[c];
        vector_loops().activate(1, &v, op_.tail.activation, y + at[0] + i * step[0]);
      }
    });
  }

 private:
  static Strides along_channels(const Shape& shape) {
    Strides strides(shape.size(), 0);
    strides[1] = 1;
    return strides;
  }
  BatchNorm op_;
  Shape shape_;
  Walk<3> walk_;
  int64_t channels_;
  bool channels_last_;
};

class TrainingKernel final : public Kernel {
 public:
  TrainingKernel(const BatchNormTraining& op, const KernelRequest& r)
      : op_(op), rows_(rows_of(r.inputs[0])), statistics_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override {
    return statistics_.scratch_bytes() + static_cast<size_t>(2 * rows_.channels) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    const int64_t channels = rows_.channels;
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    auto *mean = static_cast<float*>(a.outputs[1]), *variance = static_cast<float*>(a.outputs[2]);
    statistics_.compute(in(0), a.scratch, mean, variance);
    float *slope = reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + statistics_.scratch_bytes()),
          *shift = slope + channels;
    slope_and_shift(channels, in(1), in(2), mean, variance, op_.epsilon, slope, shift);
    float* y = static_cast<float*>(a.outputs[0]);
    const float* residual = op_.tail.residual ? in(3) : nullptr;
    const bool past_caches = rows_.rows * channels * static_cast<int64_t>(sizeof(float)) >= kPastCaches;
    parallel_for(rows_.rows, 16, [&](int64_t first, int64_t last) {
      const int64_t at = first * channels;
      vector_loops().affine({last - first, channels, in(0) + at, slope, shift, residual ? residual + at : nullptr,
                             op_.tail.activation, y + at, past_caches});
    });
  }

 private:
  BatchNormTraining op_;
  Rows rows_;
  ChannelStatistics statistics_;
};

/// Applies it to all rows; `arguments`: dy, x, the mask's and where dx goes.
void apply_gradient(const Rows& rows, const NormInputGradient& gradient, NormGradientArguments all,
                    const void* scratch) {
  gradient.set(all, scratch);
  parallel_for(rows.rows, 16, [&](int64_t first, int64_t last) {
    NormGradientArguments part = all;
    part.rows = last - first;
    part.dy += first * rows.channels;
    part.x += first * rows.channels;
    part.dx += first * rows.channels;
    vector_loops().norm_gradient_apply(part);
  });
}

class GradientKernel final : public Kernel {
 public:
  GradientKernel(const BatchNormGradient& op, const KernelRequest& r)
      : op_(op),
        rows_(rows_of(r.inputs[1])),
        sums_(rows_.rows, rows_.channels, op.tail.activation),
        input_gradient_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override {
    return sums_.scratch_bytes() + input_gradient_.scratch_bytes() +
           static_cast<size_t>(2 * rows_.channels) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    const int64_t channels = rows_.channels;
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    const float *x = in(1), *scale = in(2), *bias = in(3), *mean = in(4), *variance = in(5);
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + sums_.scratch_bytes();
    float *const slope = reinterpret_cast<float*>(scratch + input_gradient_.scratch_bytes()), *const shift =
                                                                                                  slope + channels;
    slope_and_shift(channels, scale, bias, mean, variance, op_.epsilon, slope, shift);
    auto *dx = static_cast<float*>(a.outputs[0]), *d_scale = static_cast<float*>(a.outputs[1]),
         *d_bias = static_cast<float*>(a.outputs[2]);
    // With a residual, dz is its gradient: the first pass writes it, and the second reads it instead of dy and y.
    float* const dz = op_.tail.residual ? static_cast<float*>(a.outputs[3]) : nullptr;
    sums_.compute({in(0), x, mean, dz ? in(6) : nullptr, dz, slope, shift}, a.scratch, variance, op_.epsilon, d_scale,
                  d_bias);
    NormGradientArguments all{rows_.rows, channels, dz ? dz : in(0),
                              x,          nullptr,  slope,
                              shift,      mean,     dz ? Activation{} : op_.tail.activation,
                              nullptr,    nullptr,  nullptr,
                              nullptr,    nullptr,  nullptr,
                              dx};
    input_gradient_.prepare(scale, mean, variance, op_.epsilon, d_scale, d_bias, scratch);
    apply_gradient(rows_, input_gradient_, all, scratch);
  }

 private:
  BatchNormGradient op_;
  Rows rows_;
  NormGradientSums sums_;
  NormInputGradient input_gradient_;
};

class InputGradientKernel final : public Kernel {
 public:
  InputGradientKernel(const BatchNormInputGradient& op, const KernelRequest& r)
      : epsilon_(op.epsilon), rows_(rows_of(r.inputs[1])), input_gradient_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override { return input_gradient_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    // Without an activation the mask's slope and shift are never looked at; the scale stands in for both.
    NormGradientArguments all{
        rows_.rows, rows_.channels, in(0),   in(1),   nullptr, in(2),   in(2),   in(3),
        {},         nullptr,        nullptr, nullptr, nullptr, nullptr, nullptr, static_cast<float*>(a.outputs[0])};
    input_gradient_.prepare(in(2), in(3), in(4), epsilon_, in(5), in(6), a.scratch);
    apply_gradient(rows_, input_gradient_, all, a.scratch);
  }

 private:
  float epsilon_;
  Rows rows_;
  NormInputGradient input_gradient_;
};

template <typename K, typename Op>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& request) {
  require_f32(request);
  return std::make_unique<K>(op, request);
}

}  // namespace

void register_batch_norm(KernelTable& table) {
  table.add<BatchNorm>(make<FixedKernel, BatchNorm>);
  table.add<BatchNormTraining>(make<TrainingKernel, BatchNormTraining>);
  table.add<BatchNormGradient>(make<GradientKernel, BatchNormGradient>);
  table.add<BatchNormInputGradient>(make<InputGradientKernel, BatchNormInputGradient>);
}

}  // namespace graft::cpu
