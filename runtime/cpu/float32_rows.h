#pragma once

#include "runtime/cpu/vector/vector.h"

namespace graft::cpu {

/// How kernels over rows read and write one, float32 or another type by way of a buffer: this is float32.
struct Float32Rows {
  using Number = float;
  /// The row as floats: where it lies, or in `buffer`.
  static const float* read(int64_t, const float* row, float* /*buffer*/) { return row; }
  /// Where a row of results is to be written, before write().
  static float* target(float* row, float* /*buffer*/) { return row; }
  static void write(int64_t, const float* /*buffer*/, float* /*row*/) {}
  /// sums += row
  static void add(int64_t n, const float* row, float* sums) { vector_loops().add_scaled(n, row, 1, sums); }
};

}  // namespace graft::cpu
