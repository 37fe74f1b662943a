#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {

/// x·slope + shift is (x - mean)/σ·scale + bias.
inline void slope_and_shift(int64_t channels, const float* scale, const float* bias, const float* mean,
                            const float* variance, float epsilon, float* slope, float* shift) {
  for (int64_t c = 0; c < channels; ++c) {
    slope[c] = scale[c] / std::sqrt(variance[c] + epsilon);
    shift[c] = bias[c] - mean[c] * slope[c];
  }
}

/// The gradient of a batch norm's input. With x̂ = (x - μ)/σ, m rows: dx = γ/σ·(dz - Σdz/m - x̂·Σ(dz·x̂)/m), written as
/// dz·k_dz + x·k_x + k_1. Σdz is dL/dβ and Σ(dz·x̂) dL/dγ.
class NormInputGradient {
 public:
  NormInputGradient(int64_t rows, int64_t channels) : rows_(rows), channels_(channels) {}
  size_t scratch_bytes() const { return static_cast<size_t>(3 * channels_) * sizeof(float); }
  void prepare(const float* scale, const float* mean, const float* variance, float epsilon, const float* d_scale,
               const float* d_bias, void* scratch) const {
    auto *k_dz = static_cast<float*>(scratch), *k_x = k_dz + channels_, *k_1 = k_x + channels_;
    const double count = static_cast<double>(rows_);
    for (int64_t c = 0; c < channels_; ++c) {
      const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon));
      const double gain = static_cast<double>(scale[c]) * inverse;
      const double per_x = -gain * inverse * static_cast<double>(d_scale[c]) / count;
      k_dz[c] = static_cast<float>(gain);
      k_x[c] = static_cast<float>(per_x);
      k_1[c] =
          static_cast<float>(-gain * static_cast<double>(d_bias[c]) / count - per_x * static_cast<double>(mean[c]));
    }
  }
  /// Gives the arguments of norm_gradient_apply what prepare() made.
  void set(NormGradientArguments& arguments, const void* scratch) const {
    arguments.k_dz = static_cast<const float*>(scratch);
    arguments.k_x = arguments.k_dz + channels_;
    arguments.k_1 = arguments.k_x + channels_;
  }

 private:
  int64_t rows_, channels_;
};

}  // namespace graft::cpu
