#pragma once

#include <vector>

#include "runtime/core/backend.h"
#include "runtime/ops/broadcast.h"

namespace graft::cuda {

/// The matrices of a product with NumPy's broadcasting, as runs of evenly spaced ones: what a library multiplies in one
/// call. Offsets and steps in elements.
struct Batches {
  struct Run {
    int64_t a, b, y;
  };
  int64_t count = 1, a_step = 0, b_step = 0, y_step = 0;  // of the matrices in a run
  std::vector<Run> runs;                                  // where each begins

  /// `leading`: the dimensions before y's matrices; strides as seen from there, 0 along what is broadcast.
  Batches(const Shape& leading, const Strides& a, const Strides& b, const Strides& y) : runs{{0, 0, 0}} {
    size_t inner = leading.size();
    // The last dimensions whose matrices are evenly spaced in all three make a run.
    while (inner > 0) {
      const size_t d = inner - 1;
      const bool evenly =
          count == 1 || leading[d] == 1 || (a[d] == a_step * count && b[d] == b_step * count && y[d] == y_step * count);
      if (!evenly) break;
      if (leading[d] != 1) {
        if (count == 1) a_step = a[d], b_step = b[d], y_step = y[d];
        count *= leading[d];
      }
      inner = d;
    }
    for (size_t d = 0; d < inner; ++d) {
      std::vector<Run> next;
      for (const Run& run : runs)
        for (int64_t i = 0; i < leading[d]; ++i) next.push_back({run.a + i * a[d], run.b + i * b[d], run.y + i * y[d]});
      runs = std::move(next);
    }
  }
};

}  // namespace graft::cuda
