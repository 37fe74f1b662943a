#include "runtime/cpu/norm_gradient_sums.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/parallel.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {

void NormGradientSums::add(int64_t piece, int64_t row, int64_t count, const Arrays& arrays, void* scratch) const {
  const int64_t at = row * channels_;
  Arrays rows = arrays;
  rows.dy += at;
  rows.x += at;
  if (rows.y) rows.y += at;
  if (rows.dz) rows.dz += at;
  add_rows(piece, row, count, rows, scratch);
}

void NormGradientSums::add_rows(int64_t piece, int64_t row, int64_t count, const Arrays& rows, void* scratch) const {
  auto* const sum = static_cast<double*>(scratch) + piece * channels_;
  double* const sum_x = sum + kRowPieces * channels_;
  if (row == first_row(piece)) {
    std::fill_n(sum, channels_, 0.0);
    std::fill_n(sum_x, channels_, 0.0);
  }
  vector_loops().norm_gradient_sums({count, channels_, rows.dy, rows.x, rows.y, rows.slope, rows.shift, rows.mean,
                                     activation_, sum, sum_x, rows.dz, nullptr, nullptr, nullptr, nullptr});
}

void NormGradientSums::finish(void* scratch, const float* variance, float epsilon, float* d_scale,
                              float* d_bias) const {
  const auto* const sums = static_cast<const double*>(scratch);
  double *const total = static_cast<double*>(scratch) + 2 * kRowPieces * channels_, *const total_x = total + channels_;
  std::fill_n(total, 2 * channels_, 0.0);
  for (int64_t p = 0; p < kRowPieces; ++p) {
    if (first_row(p) == first_row(p + 1)) continue;  // nothing was added
    for (int64_t c = 0; c < channels_; ++c) {
      total[c] += sums[p * channels_ + c];
      total_x[c] += sums[(kRowPieces + p) * channels_ + c];
    }
  }
  for (int64_t c = 0; c < channels_; ++c) {
    d_bias[c] = static_cast<float>(total[c]);
    d_scale[c] =
        static_cast<float>(total_x[c] / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon)));
  }
}

void NormGradientSums::compute(const Arrays& arrays, void* scratch, const float* variance, float epsilon,
                               float* d_scale, float* d_bias) const {
  parallel_for(kRowPieces, rows_ * 4 >= kRowPieces ? 1 : kRowPieces, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p)
      if (const int64_t count = first_row(p + 1) - first_row(p); count > 0)
        add(p, first_row(p), count, arrays, scratch);
  });
  finish(scratch, variance, epsilon, d_scale, d_bias);
}

}  // namespace graft::cpu
