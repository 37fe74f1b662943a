#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/core/operator.h"

namespace graft::cpu {

/// What happens to a product's sums before they are written: y = activation(sum·scale + bias + residual), then
/// y·result_scale + result_zero, rounded, where the result is of 8 bits. The residual is of the result's type.
struct DotTail {
  const float* scale = nullptr;          // one a column; null: 1
  const float* bias = nullptr;           // one a column, or null
  const std::byte* residual = nullptr;   // laid out like the result, or null
  float residual_scale = 1;              // of 8-bit residuals: (r - residual_zero)·residual_scale is added
  float residual_zero = 0;
  Activation activation;
  DType type = DType::f32;               // of the result: f32, bf16, u8 or i8
  float result_scale = 1, result_zero = 0;
};

/// C = A·B by instructions that multiply several narrow numbers side by side and add all products to one wide sum. Those
/// numbers, neighbours along the depth, are a *word* of four bytes: two bfloat16 or four 8-bit integers.
///   A(m, word k) is at a + m·a_row + 4·k bytes, B(word k, n) at b + (n / columns)·b_panel + (k·columns + n % columns)·4
///   bytes with DotTiles::columns (columns that are not there are zeros), C(m, n) is element m·c_row + n of c.
/// Each sum runs over k in order, whatever the extents.
struct DotProduct {
  int64_t rows, columns, words;
  const std::byte* a;
  int64_t a_row, tile_rows;
  const std::byte* b;
  int64_t b_panel;
  std::byte* c;
  int64_t c_row;
  const DotTail* tail;
  bool far = false;  // A was not just written: its rows, which lie side by side, are fetched a tile ahead
};

/// Loops over bfloat16 numbers, whose bits are the upper half of a float's.
struct Bf16Loops {
  void (*narrow)(int64_t n, const float* x, uint16_t* y);  // to nearest, ties to even
  void (*widen)(int64_t n, const uint16_t* x, float* y);
  /// y = activation(a + b), y = activation(x)
  void (*add)(int64_t n, const uint16_t* a, const uint16_t* b, Activation activation, uint16_t* y);
  void (*activate)(int64_t n, const uint16_t* x, Activation activation, uint16_t* y);
  /// y = the largest of what lies at `count` addresses; NaN where one is, minus infinity where there is none
  void (*max_of)(int64_t n, const uint16_t* const* x, int64_t count, uint16_t* y);
  /// y += x·scale, in float
  void (*add_scaled)(int64_t n, const uint16_t* x, float scale, float* y);
};

/// Winograd's F(2×2, 3×3) on bfloat16 pictures: points 0, ±1 and ∞, whose transforms only add. Rounding what is
/// transformed doubles the error of a bfloat16 convolution; F(4×4, 3×3) would make it six times as large
/// (docs/decisions/0034). Channels in multiples of 16; positions as in winograd_transforms.h.
struct Bf16Winograd {
  static constexpr int kPositions = 16;
  /// V = Bᵀ·d·B. `pixels`: 16 addresses of `channels` numbers, row by row.
  void (*input)(int64_t channels, const uint16_t* const* pixels, uint16_t* v, int64_t position);
  /// Y = Aᵀ·M·A, then bias, residual and activation. `pixels` and `residual`: 4 addresses, null where the tile leaves the
  /// picture (`residual` itself may be null).
  void (*output)(int64_t channels, const float* m, int64_t position, const float* bias, Activation activation,
                 const uint16_t* const* residual, uint16_t* const* pixels);
};

/// A row of the result of a depthwise convolution of channels-last bfloat16 pictures, summed in float32:
/// y[column][c] = activation(bias[c] + Σ lines[t][column·stride - before + s·dilation][c] · weights[t][s][c]).
struct Bf16DepthwiseRow {
  int64_t channels, width, columns;  // of a line, and results in a row
  int64_t kernel_height, kernel_width, stride, dilation, before;
  const uint16_t* const* lines;  // kernel_height of them; null outside the picture
  const float *weights, *bias;   // `bias` may be null
  Activation activation;
  uint16_t* y;
};

struct Bf16Depthwise {
  void (*row)(const Bf16DepthwiseRow&);
};

struct DotTiles {
  static constexpr int64_t kRows = 14, kColumns = 32;  // largest tile held in registers
  void (*multiply)(const DotProduct&);

  static int64_t panels(int64_t columns) { return (columns + kColumns - 1) / kColumns; }
  /// A height at most kRows that divides m rows into tiles of nearly the same height.
  static int64_t tile_rows(int64_t m) {
    const int64_t tiles = (m + kRows - 1) / kRows;
    return tiles == 0 ? kRows : (m + tiles - 1) / tiles;
  }
};

/// Null where the processor has no such instructions, or ONEDNN_MAX_CPU_ISA keeps to others.
const DotTiles* bf16_tiles();  // AVX-512 BF16: both factors bfloat16, sums in float32
const Bf16Loops* bf16_loops();
const Bf16Winograd* bf16_winograd();
const Bf16Depthwise* bf16_depthwise();
const DotTiles* int8_tiles();  // AVX-512 VNNI: A unsigned, B signed, sums in int32

namespace avx512_bf16 {
const DotTiles& tiles();
const Bf16Loops& loops();
const Bf16Winograd& winograd();
const Bf16Depthwise& depthwise();
}
namespace avx512_vnni {
const DotTiles& tiles();
}

}  // namespace graft::cpu
