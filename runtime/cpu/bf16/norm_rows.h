#pragma once

#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/norm_gradient_sums.h"

namespace graft::cpu::bf16 {

// What batch norms sum over rows of bfloat16 numbers, channels-last. Rows become floats a few at a time, in the first
// cache; pieces and their order are those of the float forms, so that threads change no bit.

inline constexpr int64_t kMostChannels = 2048;  // that these functions serve

/// From dy, the norm's input x, and a mask. `y`, the activated output, gives it where it is not null, and dz (may be
/// dy) gets the masked gradient; else it follows from x·slope + shift.
struct NormGradientRows {
  const uint16_t *dy, *x, *y = nullptr;
  uint16_t* dz = nullptr;
  const float *mean, *slope = nullptr, *shift = nullptr;
};

/// What NormAfterwards and MeasuredAfterwards ask for, too.
struct Bf16Rows {
  using Number = uint16_t;
  /// Mean and biased variance of each channel, as ChannelStatistics has them.
  static void measure(const ChannelStatistics& statistics, const uint16_t* x, void* scratch, float* mean,
                      float* variance);
  /// Gradients of scale and bias, as NormGradientSums has them.
  static void sum(const NormGradientSums& sums, const NormGradientRows& rows, void* scratch, const float* variance,
                  float epsilon, float* d_scale, float* d_bias);
  static void sum(const NormGradientSums& sums, uint16_t* dz, const uint16_t* u, const float* mean, const uint16_t* x,
                  void* scratch, const float* variance, float epsilon, float* d_scale, float* d_bias) {
    sum(sums, {dz, u, x, dz, mean}, scratch, variance, epsilon, d_scale, d_bias);
  }
};

}  // namespace graft::cpu::bf16
