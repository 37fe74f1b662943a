#pragma once

#include <cstdint>

#include "runtime/core/operator.h"

namespace graft::cpu {

/// What a per-channel affine step does: y = activation(x·scale + shift + residual). Null pointers leave their part out.
struct AffineArguments {
  int64_t rows, channels;
  const float *x, *scale, *shift, *residual;
  Activation activation;
  float* y;
  bool past_caches = false;  // y is too large to be read from a cache soon
};

/// Row-major rows × channels; sums are added to `sum` and `sum_of_squares` of (x - origin), in double.
struct MomentArguments {
  int64_t rows, channels;
  const float *x, *origin;
  double *sum, *sum_of_squares;
};

/// dz = dy masked by the activation; the mask comes from y when it is given, else from x·scale + shift.
struct NormGradientArguments {
  int64_t rows, channels;
  const float *dy, *x, *y, *scale, *shift, *mean;
  Activation activation;
  double *sum_dz, *sum_dz_x;      // sums pass: Σ dz and Σ dz·(x - mean)
  float* dz;                      // sums pass: dz itself, where y is given; may be dy
  const float *k_dz, *k_x, *k_1;  // apply pass: dx = dz·k_dz + x·k_x + k_1
  float* dx;                      // may be x or dy
};

/// The hot loops, compiled for one instruction set. All work on contiguous memory; callers split rows among threads.
struct VectorLoops {
  void (*affine)(const AffineArguments&);
  void (*moments)(const MomentArguments&);
  void (*norm_gradient_sums)(const NormGradientArguments&);
  void (*norm_gradient_apply)(const NormGradientArguments&);
  /// y = activation(a + b)
  void (*add)(int64_t n, const float* a, const float* b, Activation activation, float* y);
  /// y = activation(x)
  void (*activate)(int64_t n, const float* x, Activation activation, float* y);
  /// dx = dy where the activation's output y lies inside its linear part, scaled elsewhere
  void (*activation_gradient)(int64_t n, const float* dy, const float* y, Activation activation, float* dx);
  /// best = max(best, x); `position` gets `at` where x wins (null when not wanted)
  void (*max_accumulate)(int64_t n, const float* x, float* best, int32_t* position, int32_t at);
  /// y += x·scale
  void (*add_scaled)(int64_t n, const float* x, float scale, float* y);
  /// LRN of one pixel over channels; `squares` has room for channels floats
  void (*lrn)(int64_t channels, int64_t size, float alpha_over_size, float beta, float bias, const float* x,
              float* squares, float* y);
  /// sums[r] = Σ over `depth` of x[k]·w[r·stride + k], for `rows` ≤ kDotRows rows that are read once, from memory
  static constexpr int64_t kDotRows = 8;
  void (*dot_rows)(int64_t depth, const float* x, const float* w, int64_t stride, int64_t rows, float* sums);
};

/// The best set this processor runs; ONEDNN_MAX_CPU_ISA caps it together with oneDNN.
const VectorLoops& vector_loops();

namespace baseline {
const VectorLoops& loops();
}
namespace avx2 {
const VectorLoops& loops();
}
namespace avx512 {
const VectorLoops& loops();
}

}  // namespace graft::cpu
