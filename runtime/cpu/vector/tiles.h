#pragma once

#include <cstdint>

#include "runtime/core/operator.h"

namespace graft::cpu {

/// What happens to a product while it is still in registers: y = activation(product + bias + residual).
struct TileTail {
  const float* bias = nullptr;      // one a column, or null
  const float* residual = nullptr;  // laid out like the result, or null
  Activation activation;
};

inline constexpr int64_t kLineFloats = 16;  // in a cache line

/// A matrix that is read soon: `rows` of `lines` cache lines, `pitch` floats apart. Addresses need not exist.
/// multiply_rows knows one row only.
struct Fetch {
  const float* at = nullptr;
  int64_t rows = 0, lines = 0, pitch = 0;
};

/// C (+)= A·B in float32, where
///   A(m, k) is a[(m / tile_rows)·a_tile + (m % tile_rows)·a_row + k]   for `multiply_rows` (A as activations lie in
///   memory), A(m, k) is a[(m / tile_rows)·a_tile + m % tile_rows + k·a_row]     for `multiply_columns` (A transposed),
///   B(k, n) is b[(n / w)·b_panel + k·b_row + n % w]                    with w = TileKernels::columns (b_row = w unless
///   `far`), C(m, n) is c[m·c_row + n].
/// `columns` is a multiple of TileKernels::lanes. Every element of C is summed over k in order, by one chain of fused
/// multiply-adds (where the processor has them), whatever the extents: splitting rows or columns changes no bit.
struct BlockProduct {
  int64_t rows, columns, depth;
  const float* a;
  int64_t a_row, a_tile, tile_rows;
  const float* b;
  int64_t b_row, b_panel;
  float* c;
  int64_t c_row;
  bool accumulate = false;  // C += instead of C =
  const TileTail* tail = nullptr;
  bool far =
      false;  // multiply_columns: A and B were not just packed, so their lines are fetched some steps before their use
  static constexpr int kFetches = 3;
  Fetch ahead[kFetches] = {};  // fetched into the second cache meanwhile, as far as the product's length allows
};

struct TileKernels {
  int64_t rows, columns, lanes;  // largest tile held in registers; floats in a register
  void (*multiply_rows)(const BlockProduct&);
  void (*multiply_columns)(const BlockProduct&);
  /// B for a product: `width` floats from each of n addresses (zeros where one is null) into panels,
  /// to[(c / columns)·panel + i·columns + c % columns]. `width` is a multiple of `lanes`.
  void (*pack_panels)(const float* const* sources, int64_t n, int64_t width, float* to, int64_t panel);
  /// A for multiply_columns: `width` floats from each of n rows, from[i·stride], into tiles,
  /// to[(m / tile_rows)·tile + i·tile_rows + m % tile_rows]. tile ≥ n·tile_rows + kPackSlack, and what lies between is
  /// overwritten.
  void (*pack_tiles)(const float* from, int64_t stride, int64_t n, int64_t width, int64_t tile_rows, float* to,
                     int64_t tile);
  static constexpr int64_t kPackSlack = 16;

  /// A height at most `rows` that divides `m` rows into tiles of nearly the same height.
  int64_t tile_rows(int64_t m) const {
    const int64_t tiles = (m + rows - 1) / rows;
    return tiles == 0 ? rows : (m + tiles - 1) / tiles;
  }
  int64_t panels(int64_t n) const { return (n + columns - 1) / columns; }
};

/// For this processor.
const TileKernels& tile_kernels();

namespace baseline {
const TileKernels& tile_kernels();
}
namespace avx2 {
const TileKernels& tile_kernels();
}
namespace avx512 {
const TileKernels& tile_kernels();
}

}  // namespace graft::cpu
