#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/core/operator.h"

namespace graft::cpu {

/// What happens to a product's float sums before they are written: y = activation(sum + bias + residual).
struct Bf16Tail {
  const float* bias = nullptr;          // one a column, or null
  const std::byte* residual = nullptr;  // laid out like the result and of its type, or null
  Activation activation;
  DType type = DType::f32;  // of the result: f32 or bf16
};

/// What happens to a product's whole sums: v = (sum - correction)·scale + bias, with `residual` rounded and held to
/// round_low … round_high, as if it were written, and then v·rounded_scale + r·residual_scale + offset; at last v is
/// held to floor … ceiling. That is the result where it is float; else it counts steps, is rounded to nearest, ties to
/// even, and saturates.
struct Int8Tail {
  const int32_t* correction = nullptr;            // one a column: what A's zero point adds to each sum
  const float *scale = nullptr, *bias = nullptr;  // one a column
  float floor = 0, ceiling = 0;                   // infinite: none; of a u8 result the floor is not below 0
  const std::byte* residual = nullptr;            // laid out like the result and of its type, or null
  float round_low = 0, round_high = 0, rounded_scale = 0, residual_scale = 0, offset = 0;
  DType type = DType::u8;  // of the result: f32, u8 or i8
};

/// C = A·B by instructions that multiply several narrow numbers side by side and add all products to one wide sum.
/// Those numbers, neighbours along the depth, are a *word* of four bytes: two bfloat16 or four 8-bit integers.
///   A(m, word k) is at a + m·a_row + 4·k bytes, B(word k, n) at b + (n / columns)·b_panel + (k·columns + n %
///   columns)·4 bytes with DotShape::kColumns (columns that are not there are zeros), C(m, n) is element m·c_row + n of
///   c.
/// Each sum runs over k in order, whatever the extents.
template <typename Tail>
struct DotProduct {
  int64_t rows, columns, words;
  const std::byte* a;
  int64_t a_row, tile_rows;
  const std::byte* b;
  int64_t b_panel;
  std::byte* c;
  int64_t c_row;
  const Tail* tail;
  bool prefetch_a = false;  // A was not just written: its rows, which lie side by side, are fetched a tile ahead
};

/// Tiles of such products, held in registers.
struct DotShape {
  static constexpr int64_t kRows = 14, kColumns = 32;  // of the largest tile

  static int64_t panels(int64_t columns) { return (columns + kColumns - 1) / kColumns; }
  /// A height at most kRows that divides m rows into tiles of nearly the same height.
  static int64_t tile_rows(int64_t m) {
    const int64_t tiles = (m + kRows - 1) / kRows;
    return tiles == 0 ? kRows : (m + tiles - 1) / tiles;
  }
};

template <typename Tail>
struct DotTiles {
  void (*multiply)(const DotProduct<Tail>&);
};
using Bf16Tiles = DotTiles<Bf16Tail>;  // AVX-512 BF16: both factors bfloat16, sums in float32
using Int8Tiles = DotTiles<Int8Tail>;  // AVX-512 VNNI: A unsigned, B signed, sums in int32

/// Null where the processor has no such instructions, or ONEDNN_MAX_CPU_ISA keeps to others.
const Int8Tiles* int8_tiles();

namespace avx512_vnni {
const Int8Tiles& tiles();
}

}  // namespace graft::cpu
