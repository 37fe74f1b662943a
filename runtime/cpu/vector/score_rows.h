#pragma once

#include <cstdint>

namespace graft::cpu {

/// What attention makes of one query's n scores. They fill whole vectors (TileKernels::lanes): what is behind them in
/// the last one is zero afterwards. Biases are rows of n floats that are added first.
struct ScoreRows {
  /// x = exp(x + Σ biases - largest). Returns Σ x, in double; `largest` is that of what are numbers, -∞ of nothing.
  double (*exponentials)(int64_t n, const float* const* biases, int64_t count, float* x, float* largest);
  /// x = exp(x + Σ biases - largest)·inverse, with what the other one found and the inverse of its sum: a logarithm of
  /// both would lose the sum where all scores are masked by a large number.
  void (*probabilities)(int64_t n, const float* const* biases, int64_t count, float largest, float inverse, float* x);
};

/// For this processor.
const ScoreRows& score_rows();

namespace baseline {
const ScoreRows& score_rows();
}
namespace avx2 {
const ScoreRows& score_rows();
}
namespace avx512 {
const ScoreRows& score_rows();
}

}  // namespace graft::cpu
