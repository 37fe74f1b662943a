#pragma once

#include <cstdint>

namespace graft::cpu {

/// Copies of matrices that lie the other way round, through registers.
struct Transposition {
  /// to[c·to_row + r] = factor·from[r·from_row + c]. Whole vectors are written: rows of `to` need room for `rows`
  /// rounded up to `lanes`, and get zeros there.
  void (*copy)(int64_t rows, int64_t columns, const float* from, int64_t from_row, float factor, float* to,
               int64_t to_row);
  int64_t lanes;
};

/// For this processor.
const Transposition& transposition();

namespace baseline {
const Transposition& transposition();
}
namespace avx2 {
const Transposition& transposition();
}
namespace avx512 {
const Transposition& transposition();
}

}  // namespace graft::cpu
