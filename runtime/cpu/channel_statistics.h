#pragma once

#include <algorithm>
#include <cstdint>

#include "runtime/cpu/row_pieces.h"

namespace graft::cpu {

/// Mean and biased variance of each channel over all rows of a channels-last array. Rows are divided into pieces whose
/// sums are kept apart and merged in order [Chan, Golub and LeVeque 1983], so that the result does not depend on how
/// many threads add them. Each piece sums around its own first row, so that a large mean does not eat the variance's
/// digits.
class ChannelStatistics {
 public:
  ChannelStatistics(int64_t rows, int64_t channels) : rows_(rows), channels_(channels) {}

  int64_t rows() const { return rows_; }
  int64_t channels() const { return channels_; }
  int64_t first_row(int64_t piece) const { return first_row_of_piece(rows_, piece); }
  size_t scratch_bytes() const {
    return static_cast<size_t>(kRowPieces * channels_) * (2 * sizeof(double) + sizeof(float)) +
           static_cast<size_t>(2 * channels_) * sizeof(double);
  }

  /// Adds `count` rows to a piece, the first of them being row `row` of the array. Pieces may be added to by different
  /// threads; the rows of one piece come in order.
  void add(int64_t piece, int64_t row, const float* x, int64_t count, void* scratch) const;
  /// mean and variance: one float a channel.
  void finish(void* scratch, float* mean, float* variance) const;
  /// All of x at once.
  void compute(const float* x, void* scratch, float* mean, float* variance) const;

 private:
  int64_t rows_, channels_;
};

}  // namespace graft::cpu
