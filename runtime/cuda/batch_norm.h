#pragma once

#include <cmath>
#include <optional>

#include "runtime/cuda/column_sums.h"
#include "runtime/cuda/numbers.h"

namespace graft::cuda {

/// Rows and channels of an operand that lies channels-last, or has two dimensions.
struct Rows {
  int64_t rows = 0, channels = 0;
};

inline std::optional<Rows> rows_of(const Operand& x) {
  const bool last = x.shape.rank() == 2 ? x.strides == plain_strides(x.shape)
                                        : x.shape.rank() == 4 && x.strides == channels_last_strides(x.shape);
  if (!last || x.shape.elements() == 0) return std::nullopt;
  return Rows{x.shape.elements() / x.shape[1], x.shape[1]};
}

/// Mean and biased variance of each channel.
class ChannelStatistics {
 public:
  ChannelStatistics(Rows rows, const Launcher& launcher) : rows_(rows), sums_(rows.rows, rows.channels, 2, launcher) {}
  size_t scratch_bytes() const { return sums_.scratch_bytes(); }
  template <typename T>
  void compute(const Launcher& launcher, const T* x, void* scratch, float* mean, float* variance) const {
    // About the first row: where values lie far from zero, squares of them would swallow the variance.
    sums_.compute<2>(launcher, Moments<T>{x, rows_.channels}, scratch);
    launcher.each(rows_.channels, Finish<T>{x, sums_.result(scratch), mean, variance, rows_.rows, rows_.channels});
  }

  // Bodies are public because nvcc makes kernels of them.
  template <typename T>
  struct Moments {
    const T* x;
    int64_t channels;
    GRAFT_DEVICE void operator()(int64_t row, int64_t c, float* out) const {
      const float v = value_of(x[row * channels + c]) - value_of(x[c]);
      out[0] = v;
      out[1] = v * v;
    }
  };
  template <typename T>
  struct Finish {
    const T* x;
    const double* sums;
    float *mean, *variance;
    int64_t rows, channels;
    GRAFT_DEVICE void operator()(int64_t c) const {
      const double count = static_cast<double>(rows), offset = sums[c] / count,
                   spread = sums[channels + c] / count - offset * offset;
      mean[c] = static_cast<float>(static_cast<double>(value_of(x[c])) + offset);
      variance[c] = static_cast<float>(spread > 0 ? spread : 0);
    }
  };

 private:
  Rows rows_;
  ColumnSums sums_;
};

/// The gradient of a batch norm with its activation, and of its scale and bias.
///   dz = dy masked by the activation;  d_bias = Σ dz;  d_scale = Σ dz·x̂;  dx = scale/σ·(dz - d_bias/m - x̂·d_scale/m)
class NormGradient {
 public:
  NormGradient(Rows rows, Activation activation, const Launcher& launcher)
      : rows_(rows), activation_(activation), sums_(rows.rows, rows.channels, 2, launcher) {}
  size_t scratch_bytes() const { return sums_.scratch_bytes(); }

  /// The mask comes from `y`, the activated output, or where that is null from x·scale/σ + bias - mean·scale/σ.
  template <typename T>
  struct Mask {
    const T *dy, *x, *y;
    const float *scale, *bias, *mean, *variance;
    float epsilon;
    Activation activation;
    int64_t channels;
    GRAFT_DEVICE float operator()(int64_t at, int64_t c) const {
      if (activation.kind == Activation::Kind::none) return value_of(dy[at]);
      float result = 0;
      if (y) {
        result = value_of(y[at]);
      } else {
        const float slope = scale[c] / std::sqrt(variance[c] + epsilon);
        result = activated(value_of(x[at]) * slope + (bias[c] - mean[c] * slope), activation);
      }
      return value_of(dy[at]) * activation_slope(result, activation);
    }
  };

  template <typename T>
  void sums(const Launcher& launcher, const Mask<T>& mask, void* scratch, float* d_scale, float* d_bias) const {
    sums_.compute<2>(launcher, Products<T>{mask}, scratch);
    launcher.each(rows_.channels,
                  Finish{sums_.result(scratch), mask.variance, mask.epsilon, rows_.channels, d_scale, d_bias});
  }
  /// Writes dz where it is wanted and dx where it is wanted; either may take the place of dy, dx that of x.
  template <typename T>
  void apply(const Launcher& launcher, const Mask<T>& mask, const float* d_scale, const float* d_bias, T* dz,
             T* dx) const {
    launcher.each(rows_.rows * rows_.channels, Apply<T>{mask, d_scale, d_bias, dz, dx, rows_.rows});
  }
  Activation activation() const { return activation_; }

  template <typename T>
  struct Products {
    Mask<T> mask;
    GRAFT_DEVICE void operator()(int64_t row, int64_t c, float* out) const {
      const int64_t at = row * mask.channels + c;
      out[0] = mask(at, c);
      out[1] = out[0] * (value_of(mask.x[at]) - mask.mean[c]);
    }
  };
  struct Finish {
    const double* sums;
    const float* variance;
    float epsilon;
    int64_t channels;
    float *d_scale, *d_bias;
    GRAFT_DEVICE void operator()(int64_t c) const {
      d_bias[c] = static_cast<float>(sums[c]);
      d_scale[c] = static_cast<float>(sums[channels + c] /
                                      std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon)));
    }
  };
  template <typename T>
  struct Apply {
    Mask<T> mask;
    const float *d_scale, *d_bias;
    T *dz, *dx;
    int64_t rows;
    GRAFT_DEVICE void operator()(int64_t at) const {
      const int64_t c = at % mask.channels;
      const float slope = mask(at, c);
      if (dx) {
        const float inverse = 1 / std::sqrt(mask.variance[c] + mask.epsilon), count = static_cast<float>(rows);
        const float normal = (value_of(mask.x[at]) - mask.mean[c]) * inverse;
        const float result = mask.scale[c] * inverse * (slope - d_bias[c] / count - normal * (d_scale[c] / count));
        dx[at] = rounded<T>(result);
      }
      if (dz) dz[at] = rounded<T>(slope);
    }
  };

 private:
  Rows rows_;
  Activation activation_;
  ColumnSums sums_;
};

}  // namespace graft::cuda
