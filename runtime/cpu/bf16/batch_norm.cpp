#include "runtime/ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/parallel.h"
#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/bf16/norm_rows.h"
#include "runtime/cpu/norm_formulas.h"
#include "runtime/cpu/vector/bf16_kernels.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu::bf16 {
namespace {

/// Floats of an array that are looked at together: three arrays fit the first cache.
constexpr int64_t kPiece = kMostChannels;

/// body(first row, rows) for a few rows at a time of first … last - 1.
template <typename Body>
void by_rows(int64_t first, int64_t last, int64_t channels, const Body& body) {
  const int64_t together = kPiece / channels;
  for (int64_t row = first; row < last; row += together) body(row, std::min(together, last - row));
}

/// A few rows of one array as floats.
class WidenedBuffer {
 public:
  explicit WidenedBuffer(int64_t channels) : channels_(channels) {}
  float* read(const uint16_t* x, int64_t row, int64_t rows) {
    bf16_kernels()->loops.widen(rows * channels_, x + row * channels_, floats_);
    return floats_;
  }
  void write(uint16_t* y, int64_t row, int64_t rows) const {
    bf16_kernels()->loops.narrow(rows * channels_, floats_, y + row * channels_);
  }

 private:
  alignas(64) float floats_[kPiece];
  int64_t channels_;
};

template <typename Body>
void for_pieces(int64_t rows, const Body& body) {
  parallel_for(kRowPieces, rows * 4 >= kRowPieces ? 1 : kRowPieces, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) body(p, first_row_of_piece(rows, p), first_row_of_piece(rows, p + 1));
  });
}

bool is_bf16_rows(const Operand& o) {
  return o.dtype == DType::bf16 && (o.shape.rank() == 2 || (o.shape.rank() == 4 && o.strides[1] == 1)) &&
         o.shape[1] > 0 && o.shape[1] <= kPiece;
}

struct Rows {
  explicit Rows(const Operand& x) : rows(x.shape.elements() / x.shape[1]), channels(x.shape[1]) {}
  int64_t rows, channels;
};

/// y = activation(x·slope + shift + residual)
void apply(const Rows& r, const uint16_t* x, const float* slope, const float* shift, const uint16_t* residual,
           const Activation& activation, uint16_t* y) {
  parallel_for(r.rows, 16, [&](int64_t first, int64_t last) {
    WidenedBuffer values(r.channels), added(r.channels);
    by_rows(first, last, r.channels, [&](int64_t row, int64_t rows) {
      float* const v = values.read(x, row, rows);
      vector_loops().affine(
          {rows, r.channels, v, slope, shift, residual ? added.read(residual, row, rows) : nullptr, activation, v});
      values.write(y, row, rows);
    });
  });
}

class FixedKernel final : public Kernel {
 public:
  FixedKernel(const BatchNorm& op, const KernelRequest& r) : op_(op), rows_(r.inputs[0]) {}
  size_t scratch_bytes() const override { return static_cast<size_t>(2 * rows_.channels) * sizeof(float); }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    float *slope = static_cast<float*>(a.scratch), *shift = slope + rows_.channels;
    slope_and_shift(rows_.channels, in(1), in(2), in(3), in(4), op_.epsilon, slope, shift);
    apply(rows_, static_cast<const uint16_t*>(a.inputs[0]), slope, shift,
          op_.tail.residual ? static_cast<const uint16_t*>(a.inputs[5]) : nullptr, op_.tail.activation,
          static_cast<uint16_t*>(a.outputs[0]));
  }

 private:
  BatchNorm op_;
  Rows rows_;
};

class TrainingKernel final : public Kernel {
 public:
  TrainingKernel(const BatchNormTraining& op, const KernelRequest& r)
      : op_(op), rows_(r.inputs[0]), statistics_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override {
    return statistics_.scratch_bytes() + static_cast<size_t>(2 * rows_.channels) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    const auto* x = static_cast<const uint16_t*>(a.inputs[0]);
    auto *mean = static_cast<float*>(a.outputs[1]), *variance = static_cast<float*>(a.outputs[2]);
    Bf16Rows::measure(statistics_, x, a.scratch, mean, variance);
    auto* const slope = reinterpret_cast<float*>(static_cast<std::byte*>(a.scratch) + statistics_.scratch_bytes());
    float* const shift = slope + rows_.channels;
    slope_and_shift(rows_.channels, in(1), in(2), mean, variance, op_.epsilon, slope, shift);
    apply(rows_, x, slope, shift, op_.tail.residual ? static_cast<const uint16_t*>(a.inputs[3]) : nullptr,
          op_.tail.activation, static_cast<uint16_t*>(a.outputs[0]));
  }

 private:
  BatchNormTraining op_;
  Rows rows_;
  ChannelStatistics statistics_;
};

/// dx = dz·k_dz + x·k_x + k_1, dz being dy masked by the activation of x·slope + shift.
void apply_gradient(const Rows& r, const NormInputGradient& gradient, const NormGradientRows& from,
                    const Activation& activation, const void* scratch, uint16_t* dx) {
  parallel_for(r.rows, 16, [&](int64_t first, int64_t last) {
    WidenedBuffer dy(r.channels), x(r.channels);
    by_rows(first, last, r.channels, [&](int64_t row, int64_t rows) {
      float* const d = dy.read(from.dy, row, rows);
      NormGradientArguments part{rows,       r.channels, d,          x.read(from.x, row, rows),
                                 nullptr,    from.slope, from.shift, from.mean,
                                 activation, nullptr,    nullptr,    nullptr,
                                 nullptr,    nullptr,    nullptr,    d};
      gradient.set(part, scratch);
      vector_loops().norm_gradient_apply(part);
      dy.write(dx, row, rows);
    });
  });
}

class GradientKernel final : public Kernel {
 public:
  GradientKernel(const BatchNormGradient& op, const KernelRequest& r)
      : op_(op),
        rows_(r.inputs[1]),
        sums_(rows_.rows, rows_.channels, op.tail.activation),
        input_gradient_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override {
    return sums_.scratch_bytes() + input_gradient_.scratch_bytes() +
           static_cast<size_t>(2 * rows_.channels) * sizeof(float);
  }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    const auto numbers = [&](size_t i) { return static_cast<const uint16_t*>(a.inputs[i]); };
    const float *scale = in(2), *bias = in(3), *mean = in(4), *variance = in(5);
    std::byte* const scratch = static_cast<std::byte*>(a.scratch) + sums_.scratch_bytes();
    auto* const slope = reinterpret_cast<float*>(scratch + input_gradient_.scratch_bytes());
    float* const shift = slope + rows_.channels;
    slope_and_shift(rows_.channels, scale, bias, mean, variance, op_.epsilon, slope, shift);
    auto *d_scale = static_cast<float*>(a.outputs[1]), *d_bias = static_cast<float*>(a.outputs[2]);
    // With a residual, dz is its gradient: the first pass writes it, and the second reads it instead of dy and y.
    auto* const dz = op_.tail.residual ? static_cast<uint16_t*>(a.outputs[3]) : nullptr;
    NormGradientRows rows{numbers(0), numbers(1), dz ? numbers(6) : nullptr, dz, mean, slope, shift};
    Bf16Rows::sum(sums_, rows, a.scratch, variance, op_.epsilon, d_scale, d_bias);
    input_gradient_.prepare(scale, mean, variance, op_.epsilon, d_scale, d_bias, scratch);
    if (dz) rows.dy = dz;
    apply_gradient(rows_, input_gradient_, rows, dz ? Activation{} : op_.tail.activation, scratch,
                   static_cast<uint16_t*>(a.outputs[0]));
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
      : epsilon_(op.epsilon), rows_(r.inputs[1]), input_gradient_(rows_.rows, rows_.channels) {}
  size_t scratch_bytes() const override { return input_gradient_.scratch_bytes(); }
  void run(const KernelArguments& a) override {
    const auto in = [&](size_t i) { return static_cast<const float*>(a.inputs[i]); };
    input_gradient_.prepare(in(2), in(3), in(4), epsilon_, in(5), in(6), a.scratch);
    // Without an activation the mask's slope and shift are never looked at; the scale stands in for both.
    const NormGradientRows rows{static_cast<const uint16_t*>(a.inputs[0]),
                                static_cast<const uint16_t*>(a.inputs[1]),
                                nullptr,
                                nullptr,
                                in(3),
                                in(2),
                                in(2)};
    apply_gradient(rows_, input_gradient_, rows, {}, a.scratch, static_cast<uint16_t*>(a.outputs[0]));
  }

 private:
  float epsilon_;
  Rows rows_;
  NormInputGradient input_gradient_;
};

/// Where all the arrays lie alike, x at `x`.
template <typename K, typename Op, size_t x>
std::unique_ptr<Kernel> make(const Op& op, const KernelRequest& r) {
  const Operand& rows = r.inputs[x];
  const auto fits = [&](const Operand& o) {
    return !o.present || o.shape != rows.shape || (o.dtype == DType::bf16 && o.strides == rows.strides);
  };
  if (!is_bf16_rows(rows) || !std::all_of(r.inputs.begin(), r.inputs.end(), fits) ||
      !std::all_of(r.outputs.begin(), r.outputs.end(), fits))
    return nullptr;
  return std::make_unique<K>(op, r);
}

}  // namespace

void Bf16Rows::measure(const ChannelStatistics& statistics, const uint16_t* x, void* scratch, float* mean,
                       float* variance) {
  const int64_t channels = statistics.channels();
  for_pieces(statistics.rows(), [&](int64_t piece, int64_t first, int64_t last) {
    WidenedBuffer values(channels);
    by_rows(first, last, channels,
            [&](int64_t row, int64_t rows) { statistics.add(piece, row, values.read(x, row, rows), rows, scratch); });
  });
  statistics.finish(scratch, mean, variance);
}

void Bf16Rows::sum(const NormGradientSums& sums, const NormGradientRows& from, void* scratch, const float* variance,
                   float epsilon, float* d_scale, float* d_bias) {
  const int64_t channels = sums.channels();
  for_pieces(sums.rows(), [&](int64_t piece, int64_t first, int64_t last) {
    WidenedBuffer dy(channels), x(channels), y(channels);
    by_rows(first, last, channels, [&](int64_t row, int64_t rows) {
      float* const d = dy.read(from.dy, row, rows);
      sums.add_rows(piece, row, rows,
                    {d, x.read(from.x, row, rows), from.mean, from.y ? y.read(from.y, row, rows) : nullptr,
                     from.dz ? d : nullptr, from.slope, from.shift},
                    scratch);
      if (from.dz) dy.write(from.dz, row, rows);
    });
  });
  sums.finish(scratch, variance, epsilon, d_scale, d_bias);
}

void register_batch_norm(KernelTable& table) {
  table.add<BatchNorm>(make<FixedKernel, BatchNorm, 0>);
  table.add<BatchNormTraining>(make<TrainingKernel, BatchNormTraining, 0>);
  table.add<BatchNormGradient>(make<GradientKernel, BatchNormGradient, 1>);
  table.add<BatchNormInputGradient>(make<InputGradientKernel, BatchNormInputGradient, 1>);
}

}  // namespace graft::cpu::bf16
