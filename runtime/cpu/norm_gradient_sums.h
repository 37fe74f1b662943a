#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/core/operator.h"
#include "runtime/cpu/row_pieces.h"

namespace graft::cpu {

/// Gradients of a batch norm's scale and bias: sums over all rows of a channels-last gradient, in pieces, so that
/// the result does not depend on the thread count.
class NormGradientSums {
 public:
  NormGradientSums(int64_t rows, int64_t channels, Activation activation)
      : rows_(rows), channels_(channels), activation_(activation) {}

  /// Where everything lies. `y`, the activated output, gives the mask, and `dz` gets the masked gradient (it may be
  /// dy); without them the mask is recomputed from x·slope + shift.
  struct Arrays {
    const float *dy, *x, *mean, *y = nullptr;
    float* dz = nullptr;
    const float *slope = nullptr, *shift = nullptr;
  };

  int64_t rows() const { return rows_; }
  int64_t channels() const { return channels_; }
  int64_t first_row(int64_t piece) const { return first_row_of_piece(rows_, piece); }
  size_t scratch_bytes() const { return static_cast<size_t>((kRowPieces + 1) * channels_) * 2 * sizeof(double); }
  /// Adds `count` rows from `row` on to a piece; the rows of one piece come in order.
  void add(int64_t piece, int64_t row, int64_t count, const Arrays& arrays, void* scratch) const;
  /// The same with arrays that begin at that row.
  void add_rows(int64_t piece, int64_t row, int64_t count, const Arrays& rows, void* scratch) const;
  /// One float a channel each.
  void finish(void* scratch, const float* variance, float epsilon, float* d_scale, float* d_bias) const;
  /// All rows at once.
  void compute(const Arrays& arrays, void* scratch, const float* variance, float epsilon, float* d_scale,
               float* d_bias) const;

 private:
  int64_t rows_, channels_;
  Activation activation_;
};

}  // namespace graft::cpu
