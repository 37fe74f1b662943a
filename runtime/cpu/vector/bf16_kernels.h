#pragma once

#include "runtime/cpu/vector/dot_tiles.h"

namespace graft::cpu {

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
/// y[column][c] = activation(bias[c] + Σ lines[t][column·stride - padding + s·dilation][c] · weights[t][s][c]).
struct Bf16DepthwiseRow {
  int64_t channels, width, columns;  // of a line, and results in a row
  int64_t kernel_height, kernel_width, stride, dilation, padding;
  const uint16_t* const* lines;  // kernel_height of them; null outside the picture
  const float *weights, *bias;   // `bias` may be null
  Activation activation;
  uint16_t* y;
};

struct Bf16Depthwise {
  void (*row)(const Bf16DepthwiseRow&);
};

/// All that is compiled for AVX-512 BF16.
struct Bf16Kernels {
  Bf16Tiles tiles;
  Bf16Loops loops;
  Bf16Winograd winograd;
  Bf16Depthwise depthwise;
  Bf16PixelTiles pixel_tiles;
};

/// Null where the processor has no such instructions, or ONEDNN_MAX_CPU_ISA keeps to others.
const Bf16Kernels* bf16_kernels();

namespace avx512_bf16 {
const Bf16Kernels& kernels();
}

}  // namespace graft::cpu
