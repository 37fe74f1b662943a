#include "runtime/cpu/channel_statistics.h"

#include <cstring>

#include "runtime/core/parallel.h"
#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {
namespace {

/// The parts of the scratch memory.
struct Parts {
  double *sums, *squares, *mean, *spread;  // per piece and channel; the merged ones per channel
  float* origin;

  Parts(void* scratch, int64_t channels)
      : sums(static_cast<double*>(scratch)),
        squares(sums + kRowPieces * channels),
        mean(squares + kRowPieces * channels),
        spread(mean + channels),
        origin(reinterpret_cast<float*>(spread + channels)) {}
};

}  // namespace

void ChannelStatistics::add(int64_t piece, int64_t row, const float* x, int64_t count, void* scratch) const {
  const Parts parts(scratch, channels_);
  const int64_t at = piece * channels_;
  const auto bytes = static_cast<size_t>(channels_);
  if (row == first_row(piece)) {
    std::memcpy(parts.origin + at, x, bytes * sizeof(float));
    std::memset(parts.sums + at, 0, bytes * sizeof(double));
    std::memset(parts.squares + at, 0, bytes * sizeof(double));
  }
  vector_loops().moments({count, channels_, x, parts.origin + at, parts.sums + at, parts.squares + at});
}

void ChannelStatistics::finish(void* scratch, float* mean, float* variance) const {
  const Parts parts(scratch, channels_);
  std::memset(parts.mean, 0, static_cast<size_t>(2 * channels_) * sizeof(double));
  int64_t merged = 0;
  for (int64_t p = 0; p < kRowPieces; ++p) {
    const int64_t rows = first_row(p + 1) - first_row(p);
    if (rows == 0) continue;
    const double n = static_cast<double>(rows), before = static_cast<double>(merged), share = n / (before + n),
                 cross = before * share;
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t i = p * channels_ + c;
      const double offset = parts.sums[i] / n, piece_mean = static_cast<double>(parts.origin[i]) + offset;
      const double piece_spread = parts.squares[i] - parts.sums[i] * offset, delta = piece_mean - parts.mean[c];
      parts.mean[c] += delta * share;
      parts.spread[c] += piece_spread + delta * delta * cross;
    }
    merged += rows;
  }
  for (int64_t c = 0; c < channels_; ++c) {
    mean[c] = static_cast<float>(parts.mean[c]);
    variance[c] = static_cast<float>(std::max(0.0, parts.spread[c] / static_cast<double>(rows_)));
  }
}

void ChannelStatistics::compute(const float* x, void* scratch, float* mean, float* variance) const {
  parallel_for(kRowPieces, rows_ * 4 >= kRowPieces ? 1 : kRowPieces, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      const int64_t row = first_row(p), count = first_row(p + 1) - row;
      if (count > 0) add(p, row, x + row * channels_, count, scratch);
    }
  });
  finish(scratch, mean, variance);
}

}  // namespace graft::cpu
