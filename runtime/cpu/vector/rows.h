#pragma once

#include <cstdint>

namespace graft::cpu {

/// Loops over one row of floats, of which softmax and layer norms are made. Sums are in double, sixteen side by side
/// whatever the vectors: the same bits for every instruction set without fused multiply-adds, and nearly so with them.
struct RowLoops {
  float (*largest)(int64_t n, const float* x);  // of what is a number; -∞ of nothing
  double (*sum)(int64_t n, const float* x);
  double (*dot)(int64_t n, const float* a, const float* b);
  double (*squared_deviations)(int64_t n, const float* x, double mean);  // Σ(x - mean)²
  /// y = x - by
  void (*subtract)(int64_t n, const float* x, float by, float* y);
  /// y = x·by
  void (*scale)(int64_t n, const float* x, float by, float* y);
  /// y = (x - mean)·inverse·scale + bias; `bias` may be null
  void (*normalise)(int64_t n, const float* x, float mean, float inverse, const float* scale, const float* bias,
                    float* y);
  /// dx = y·(dy - total)
  void (*softmax_gradient)(int64_t n, const float* dy, const float* y, float total, float* dx);
  /// With g = dy·scale and x̂ = (x - mean)·inverse: Σg and Σ(g·x̂).
  void (*norm_sums)(int64_t n, const float* dy, const float* x, const float* scale, float mean, float inverse,
                    double* sum, double* sum_x);
  /// dx = inverse·(g - mean_g - x̂·mean_gx), d_scale += dy·x̂ and d_bias += dy. What is written overlaps with nothing.
  void (*norm_gradient)(int64_t n, const float* dy, const float* x, const float* scale, float mean, float inverse,
                        float mean_g, float mean_gx, float* dx, float* d_scale, float* d_bias);
};

/// For this processor.
const RowLoops& row_loops();

namespace baseline {
const RowLoops& row_loops();
}
namespace avx2 {
const RowLoops& row_loops();
}
namespace avx512 {
const RowLoops& row_loops();
}

}  // namespace graft::cpu
