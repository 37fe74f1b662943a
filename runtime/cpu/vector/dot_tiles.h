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
  bool far = false;  // A was not just written: its rows, which lie side by side, are fetched a tile ahead
};

/// Loops over bfloat16 numbers, whose bits are the upper half of a float's.
struct Bf16Loops {
  void (*narrow)(int64_t n, const float* x, uint16_t* y);  // to nearest, ties to even
  void (*widen)(int64_t n, const uint16_t* x, float* y);
  /// y = activation(a + b), y = activation(a·b), y = activation(x)
  void (*add)(int64_t n, const uint16_t* a, const uint16_t* b, Activation activation, uint16_t* y);
  void (*multiply)(int64_t n, const uint16_t* a, const uint16_t* b, Activation activation, uint16_t* y);
  void (*activate)(int64_t n, const uint16_t* x, Activation activation, uint16_t* y);
  /// dx = dy where the activation's output y lies inside its linear part, scaled elsewhere
  void (*activation_gradient)(int64_t n, const uint16_t* dy, const uint16_t* y, Activation activation, uint16_t* dx);
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
  /// Y = Aᵀ·M·A, then bias, residual and activation. `pixels` and `residual`: 4 addresses, null where the tile leaves
  /// the picture (`residual` itself may be null).
  void (*output)(int64_t channels, const float* m, int64_t position, const float* bias, Activation activation,
                 const uint16_t* const* residual, uint16_t* const* pixels);
};

/// C (+)= Aᵀ·B, summed over pixels two at a time, for gradients of weights: A's tile t, word k is 16 words at
/// a + (t·words + k)·16, kRows of them rows of C; B's word k is 32 words at b + 32·k.
struct Bf16PixelProduct {
  static constexpr int64_t kRows = 14, kColumns = 32, kTileWords = 16;
  int64_t rows, columns, words;  // columns: at most kColumns
  const uint32_t *a, *b;
  float* c;
  int64_t c_row;
  bool accumulate;
};

struct Bf16PixelTiles {
  /// Two pixels' numbers side by side, in tiles `tile` words apart; a null pixel is zeros.
  void (*pack_rows)(int64_t n, const uint16_t* even, const uint16_t* odd, uint32_t* to, int64_t tile);
  /// The same of at most kColumns numbers; those beyond n become zeros.
  void (*pack_columns)(int64_t n, const uint16_t* even, const uint16_t* odd, uint32_t* to);
  void (*multiply)(const Bf16PixelProduct&);
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
const Bf16Tiles* bf16_tiles();
const Bf16Loops* bf16_loops();
const Bf16Winograd* bf16_winograd();
const Bf16Depthwise* bf16_depthwise();
const Bf16PixelTiles* bf16_pixel_tiles();
const Int8Tiles* int8_tiles();

namespace avx512_bf16 {
const Bf16Tiles& tiles();
const Bf16Loops& loops();
const Bf16Winograd& winograd();
const Bf16Depthwise& depthwise();
const Bf16PixelTiles& pixel_tiles();
}  // namespace avx512_bf16
namespace avx512_vnni {
const Int8Tiles& tiles();
}

}  // namespace graft::cpu
