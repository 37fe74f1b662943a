#include "runtime/ops/batch_norm.h"

#include <cmath>

#include "runtime/cuda/batch_norm.h"
#include "runtime/cuda/indexing.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/cuda/launched.h"

namespace graft::cuda {
namespace {

const float* floats(const KernelArguments& a, size_t i) { return static_cast<const float*>(a.inputs[i]); }

/// x·slope + shift, where slope = scale/√(variance + ε) and shift = bias - mean·slope.
struct Affine {
  const float *scale, *bias, *mean, *variance;
  float epsilon;
  GRAFT_DEVICE float operator()(float x, int64_t c) const {
    const float slope = scale[c] / std::sqrt(variance[c] + epsilon);
    return x * slope + (bias[c] - mean[c] * slope);
  }
};

/// `width` channels a thread.
template <typename T, int width>
struct Normalised {
  const T *x, *residual;
  T* y;
  Affine affine;
  Activation activation;
  int64_t channels;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const int64_t at = i * width, c = at % channels;
    float v[width], r[width] = {};
    load<width>(x + at, v);
    if (residual) load<width>(residual + at, r);
    for (int k = 0; k < width; ++k) v[k] = activated(affine(v[k], c + k) + r[k], activation);
    store<width>(v, y + at);
  }
};

template <typename T>
void normalise(const Launcher& launcher, Rows rows, const Normalised<T, 1>& one) {
  if (rows.channels % 4 == 0)
    launcher.each(rows.rows * rows.channels / 4,
                  Normalised<T, 4>{one.x, one.residual, one.y, one.affine, one.activation, one.channels});
  else
    launcher.each(rows.rows * rows.channels, one);
}

/// Fixed statistics on any layout.
template <typename T>
struct NormalisedAnywhere {
  const T* x;
  T* y;
  Indexer<3> places;  // y, x, channel
  Affine affine;
  Activation activation;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    y[p.at[0]] = rounded<T>(activated(affine(value_of(x[p.at[1]]), p.at[2]), activation));
  }
};

bool serves(const Operand& x, const Operand& y, const Operand* residual) {
  return is_real(x.dtype) && y.dtype == x.dtype && x.strides == y.strides &&
         (!residual || (residual->dtype == x.dtype && residual->strides == x.strides));
}

std::unique_ptr<Kernel> make_fixed(const Launcher& launcher, const BatchNorm& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const auto affine = [epsilon = op.epsilon](const KernelArguments& a) {
    return Affine{floats(a, 1), floats(a, 2), floats(a, 3), floats(a, 4), epsilon};
  };
  if (const auto rows = rows_of(x); rows && serves(x, y, op.tail.residual ? &r.inputs[5] : nullptr)) {
    return visit_real(x.dtype, [&](auto tag) {
      using T = decltype(tag);
      return launched([&launcher, rows = *rows, affine, tail = op.tail](const KernelArguments& a) {
        const auto* residual = tail.residual ? static_cast<const T*>(a.inputs[5]) : nullptr;
        normalise<T>(launcher, rows,
                     {static_cast<const T*>(a.inputs[0]), residual, static_cast<T*>(a.outputs[0]), affine(a),
                      tail.activation, rows.channels});
      });
    });
  }
  Strides channel(x.shape.size(), 0);
  channel[1] = 1;
  const Indexer<3> places(x.shape, {y.strides, x.strides, channel});
  if (op.tail.residual || !is_real(x.dtype) || x.dtype != y.dtype || !places.fits()) return nullptr;
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, places, affine, activation = op.tail.activation](const KernelArguments& a) {
      launcher.each(places.count(),
                    NormalisedAnywhere<T>{static_cast<const T*>(a.inputs[0]), static_cast<T*>(a.outputs[0]), places,
                                          affine(a), activation});
    });
  });
}

std::unique_ptr<Kernel> make_training(const Launcher& launcher, const BatchNormTraining& op, const KernelRequest& r) {
  const Operand& x = r.inputs[0];
  const auto rows = rows_of(x);
  if (!rows || !serves(x, r.outputs[0], op.tail.residual ? &r.inputs[3] : nullptr)) return nullptr;
  const ChannelStatistics statistics(*rows, launcher);
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, rows = *rows, statistics, epsilon = op.epsilon, tail = op.tail](const KernelArguments& a) {
          auto *mean = static_cast<float*>(a.outputs[1]), *variance = static_cast<float*>(a.outputs[2]);
          const auto* in = static_cast<const T*>(a.inputs[0]);
          statistics.compute(launcher, in, a.scratch, mean, variance);
          const auto* residual = tail.residual ? static_cast<const T*>(a.inputs[3]) : nullptr;
          normalise<T>(launcher, rows,
                       {in,
                        residual,
                        static_cast<T*>(a.outputs[0]),
                        {floats(a, 1), floats(a, 2), mean, variance, epsilon},
                        tail.activation,
                        rows.channels});
        },
        statistics.scratch_bytes());
  });
}

std::unique_ptr<Kernel> make_gradient(const Launcher& launcher, const BatchNormGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &x = r.inputs[1];
  const auto rows = rows_of(x);
  if (!rows || !serves(x, r.outputs[0], &dy) || (op.tail.residual && !serves(x, r.outputs[3], &r.inputs[6])))
    return nullptr;
  const NormGradient gradient(*rows, op.tail.activation, launcher);
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched(
        [&launcher, gradient, rows = *rows, epsilon = op.epsilon,
         residual = op.tail.residual](const KernelArguments& a) {
          // Without a residual the mask is worked out again from x, which saves reading y.
          const auto* y = residual ? static_cast<const T*>(a.inputs[6]) : nullptr;
          const NormGradient::Mask<T> mask{static_cast<const T*>(a.inputs[0]),
                                           static_cast<const T*>(a.inputs[1]),
                                           y,
                                           floats(a, 2),
                                           floats(a, 3),
                                           floats(a, 4),
                                           floats(a, 5),
                                           epsilon,
                                           gradient.activation(),
                                           rows.channels};
          auto *d_scale = static_cast<float*>(a.outputs[1]), *d_bias = static_cast<float*>(a.outputs[2]);
          gradient.sums(launcher, mask, a.scratch, d_scale, d_bias);
          gradient.apply(launcher, mask, d_scale, d_bias, residual ? static_cast<T*>(a.outputs[3]) : nullptr,
                         static_cast<T*>(a.outputs[0]));
        },
        gradient.scratch_bytes());
  });
}

std::unique_ptr<Kernel> make_input_gradient(const Launcher& launcher, const BatchNormInputGradient& op,
                                            const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &x = r.inputs[1];
  const auto rows = rows_of(x);
  if (!rows || !serves(x, r.outputs[0], &dy)) return nullptr;
  const NormGradient gradient(*rows, {}, launcher);
  return visit_real(x.dtype, [&](auto tag) {
    using T = decltype(tag);
    return launched([&launcher, gradient, rows = *rows, epsilon = op.epsilon](const KernelArguments& a) {
      const NormGradient::Mask<T> mask{static_cast<const T*>(a.inputs[0]),
                                       static_cast<const T*>(a.inputs[1]),
                                       nullptr,
                                       floats(a, 2),
                                       nullptr,
                                       floats(a, 3),
                                       floats(a, 4),
                                       epsilon,
                                       {},
                                       rows.channels};
      gradient.apply(launcher, mask, floats(a, 5), floats(a, 6), static_cast<T*>(nullptr),
                     static_cast<T*>(a.outputs[0]));
    });
  });
}

}  // namespace

void register_batch_norm(KernelTable& table, const Launcher& launcher) {
  table.add<BatchNorm>(
      [&launcher](const BatchNorm& op, const KernelRequest& r) { return make_fixed(launcher, op, r); });
  table.add<BatchNormTraining>(
      [&launcher](const BatchNormTraining& op, const KernelRequest& r) { return make_training(launcher, op, r); });
  table.add<BatchNormGradient>(
      [&launcher](const BatchNormGradient& op, const KernelRequest& r) { return make_gradient(launcher, op, r); });
  table.add<BatchNormInputGradient>([&launcher](const BatchNormInputGradient& op, const KernelRequest& r) {
    return make_input_gradient(launcher, op, r);
  });
}

}  // namespace graft::cuda
