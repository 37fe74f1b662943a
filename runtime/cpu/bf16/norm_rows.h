#pragma once

#include "runtime/cpu/channel_statistics.h"
#include "runtime/cpu/norm_gradient_sums.h"

namespace graft::cpu::bf16 {

// What batch norms sum over rows of bfloat16 numbers, channels-last. Rows become floats a few at a time, in the first
// cache; pieces and their order are those of the float forms, so that threads change no bit.

inline constexpr int64_t kMostChannels = 2048;  // that these functions serve

/// Mean and biased variance of each channel, as ChannelStatistics has them.
void measure(const ChannelStatistics& statistics, int64_t channels, const uint16_t* x, void* scratch, float* mean,
             float* variance);

/// Gradients of scale and bias, as NormGradientSums has them: from dy, the norm's input x, and a mask. `y`, the
/// activated output, gives it where it is not null, and dz (may be dy) gets the masked gradient; else it follows from
/// x·slope + shift.
struct NormGradientRows {
  const uint16_t *dy, *x, *y = nullptr;
  uint16_t* dz = nullptr;
  const float *mean, *slope = nullptr, *shift = nullptr;
};
void sum_norm_gradient(const NormGradientSums& sums, int64_t channels, const NormGradientRows& rows, void* scratch,
                       const float* variance, float epsilon, float* d_scale, float* d_bias);

}  // namespace graft::cpu::bf16
