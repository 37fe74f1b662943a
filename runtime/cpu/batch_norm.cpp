#include "runtime/ops/batch_norm.h"

#include <cmath>
#include <cstring>

#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/parallel.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

/// Pieces of rows whose sums are kept apart and added in order, so that the result does not depend on the thread count.
constexpr int64_t kPieces = 16;

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

/// Calls body(piece, first_row, last_row) for each of the kPieces pieces.
template <typename Body>
void for_pieces(int64_t rows, const Body& body) {
  parallel_for(kPieces, rows * 4 >= kPieces ? 1 : kPieces, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) body(p, rows * p / kPieces, rows * (p + 1) / kPieces);
  });
}

void reduce_pieces(const double* pieces, int64_t channels, double* total) {
  std::memset(total, 0, static_cast<size_t>(channels) * sizeof(double));
  for (int64_t p = 0; p < kPieces; ++p)
    for (int64_t c = 0; c < channels; ++c) total[c] += pieces[p * channels + c];
}

/// Fixed statistics on any layout by two strides; the fast path is channels-last.
class FixedKernel final : public Kernel {
 public:
  FixedKernel(const BatchNorm& op, const KernelRequest& r) : op_(op), shape_(r.inputs[0].shape), walk_(shape_, {r.outputs[0].strides, r.inputs[0].strides, along_channels(shape_)}) {
    channels_ = shape_[1];
    const Strides& strides = r.inputs[0].strides;
    channels_last_ = (shape_.rank() == 2 || (shape_.rank() == 4 && strides[1] == 1)) && strides == r.outputs[0].strides;
    if (!channels_last_ && op.tail.residual) throw Error("a residual needs channels-last operands");
  }
  size_t scratch_bytes() const override { return static_cast<size_t>(2 * channels_) * sizeof(float); }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    float *slope = static_cast<float*>(a.scratch), *shift = slope + channels_;
    for (int64_t c = 0; c < channels_; ++c) {
      slope[c] = in(1)[c] / std::sqrt(in(4)[c] + op_.epsilon);
      shift[c] = in(2)[c] - in(3)[c] * slope[c];
    }
    float* y = static_cast<float*>(a.outputs[0]);
    const float* residual = op_.tail.residual ? in(5) : nullptr;
    if (channels_last_) {
      parallel_for(shape_.elements() / std::max<int64_t>(channels_, 1), 16, [&](int64_t first, int64_t last) {
        const int64_t at = first * channels_;
        vector_loops().affine({last - first, channels_, in(0) + at, slope, shift, residual ? residual + at : nullptr, op_.tail.activation, y + at});
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
  TrainingKernel(const BatchNormTraining& op, const KernelRequest& r) : op_(op), rows_(rows_of(r.inputs[0])), statistics_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override { return statistics_.scratch_bytes() + static_cast<size_t>(2 * rows_.channels) * sizeof(float); }
  void run(const KernelArguments& a) override {
    const int64_t channels = rows_.channels;
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    auto *mean = static_cast<float*>(a.outputs[1]), *variance = static_cast<float*>(a.outputs[2]);
    statistics_.compute(in(0), a.scratch, mean, variance);
    float *slope = reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + statistics_.scratch_bytes()), *shift = slope + channels;
    for (int64_t c = 0; c < channels; ++c) {
      slope[c] = in(1)[c] / std::sqrt(variance[c] + op_.epsilon);
      shift[c] = in(2)[c] - mean[c] * slope[c];
    }
    float* y = static_cast<float*>(a.outputs[0]);
    const float* residual = op_.tail.residual ? in(3) : nullptr;
    const bool past_caches = rows_.rows * channels * static_cast<int64_t>(sizeof(float)) >= kPastCaches;
    parallel_for(rows_.rows, 16, [&](int64_t first, int64_t last) {
      const int64_t at = first * channels;
      vector_loops().affine({last - first, channels, in(0) + at, slope, shift, residual ? residual + at : nullptr, op_.tail.activation, y + at, past_caches});
    });
  }

 private:
  BatchNormTraining op_;
  Rows rows_;
  ChannelStatistics statistics_;
};

/// With x̂ = (x - μ)/σ, m rows: dx = γ/σ·(dz - Σdz/m - x̂·Σ(dz·x̂)/m), written as dz·k_dz + x·k_x + k_1.
class GradientKernel final : public Kernel {
 public:
  GradientKernel(const BatchNormGradient& op, const KernelRequest& r) : op_(op), rows_(rows_of(r.inputs[1])) {}
  size_t scratch_bytes() const override {
    return static_cast<size_t>(rows_.channels) * ((2 * kPieces + 2) * sizeof(double) + 5 * sizeof(float));
  }
  void run(const KernelArguments& a) override {
    const int64_t channels = rows_.channels;
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    const float *dy = in(0), *x = in(1), *scale = in(2), *bias = in(3), *mean = in(4), *variance = in(5);
    const float* y = op_.tail.residual ? in(6) : nullptr;
    auto* sums = static_cast<double*>(a.scratch);
    double *sums_x = sums + kPieces * channels, *sum = sums_x + kPieces * channels, *sum_x = sum + channels;
    auto *slope = reinterpret_cast<float*>(sum_x + channels), *shift = slope + channels, *k_dz = shift + channels, *k_x = k_dz + channels, *k_1 = k_x + channels;
    std::memset(sums, 0, static_cast<size_t>(2 * kPieces * channels) * sizeof(double));
    for (int64_t c = 0; c < channels; ++c) {
      slope[c] = scale[c] / std::sqrt(variance[c] + op_.epsilon);
      shift[c] = bias[c] - mean[c] * slope[c];
    }
    auto* dx = static_cast<float*>(a.outputs[0]);
    // With a residual, dz is its gradient: the first pass writes it, and the second reads it instead of dy and y.
    auto* dz = op_.tail.residual ? static_cast<float*>(a.outputs[3]) : nullptr;
    NormGradientArguments all{rows_.rows, channels, dy, x, y, slope, shift, mean, op_.tail.activation, nullptr, nullptr, nullptr, k_dz, k_x, k_1, nullptr};
    const auto at_rows = [&](int64_t first, int64_t last) {
      const int64_t at = first * channels;
      NormGradientArguments part = all;
      part.rows = last - first;
      part.dy = dy + at;
      part.x = x + at;
      part.y = y ? y + at : nullptr;
      part.dz = dz ? dz + at : nullptr;
      part.dx = dx + at;
      return part;
    };
    for_pieces(rows_.rows, [&](int64_t p, int64_t first, int64_t last) {
      NormGradientArguments part = at_rows(first, last);
      part.sum_dz = sums + p * channels;
      part.sum_dz_x = sums_x + p * channels;
      vector_loops().norm_gradient_sums(part);
    });
    reduce_pieces(sums, channels, sum);
    reduce_pieces(sums_x, channels, sum_x);
    auto *d_scale = static_cast<float*>(a.outputs[1]), *d_bias = static_cast<float*>(a.outputs[2]);
    const double count = static_cast<double>(rows_.rows);
    for (int64_t c = 0; c < channels; ++c) {
      const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(op_.epsilon));
      d_bias[c] = static_cast<float>(sum[c]);
      d_scale[c] = static_cast<float>(sum_x[c] * inverse);
      const double gain = static_cast<double>(scale[c]) * inverse;
      const double per_x = -gain * inverse * inverse * sum_x[c] / count;
      k_dz[c] = static_cast<float>(gain);
      k_x[c] = static_cast<float>(per_x);
      k_1[c] = static_cast<float>(-gain * sum[c] / count - per_x * static_cast<double>(mean[c]));
    }
    parallel_for(rows_.rows, 16, [&](int64_t first, int64_t last) {
      NormGradientArguments part = at_rows(first, last);
      if (dz) {
        part.dy = part.dz;
        part.activation = {};
      }
      vector_loops().norm_gradient_apply(part);
    });
  }

 private:
  BatchNormGradient op_;
  Rows rows_;
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
}

}  // namespace graft::cpu
