#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/cpu/vector/tiles.h"

namespace graft::cpu {

/// float32 products on matrix units that multiply bfloat16 (Intel's AMX). A factor is the sum of three bfloat16
/// numbers, which hold all of its 24 bits: x = x₀ + x₁ + x₂. Of the nine products of parts the six largest are added up
/// in float32; those left out are below 2⁻²³ of the product, less than what one rounding of the sum costs (Henry, Tang
/// and Heinecke, arXiv 1904.06376). An infinite factor gives NaN. docs/decisions/0013 has the errors and the speed.
///
/// Operands are packed in tiles, each kDepth of the depth at a time: a step of kStepBytes holds the tile's three parts.
/// Depths that are no multiple of kDepth end in zeros.
struct SplitTiles {
  static constexpr int64_t kRows = 16, kColumns = 16, kDepth = 32;  // of a tile of A, of a tile of B, of both
  static constexpr int64_t kStepBytes = 3 * 1024;

  static int64_t steps(int64_t depth) { return (depth + kDepth - 1) / kDepth; }
  /// A height at most kRows that divides m rows into tiles of nearly the same height.
  static int64_t height(int64_t m) {
    const int64_t tiles = (m + kRows - 1) / kRows;
    return tiles == 0 ? kRows : (m + tiles - 1) / tiles;
  }

  /// The first of every thread's calls: tiles of A and C have `height` rows until release().
  void (*configure)(int64_t height);
  void (*release)();

  /// Lines of `depth` floats (a multiple of 16; zeros where one is null), each a row of A or a column of B: line i goes
  /// to tile i / height. Tile t begins at to + t·tile bytes.
  void (*pack_rows)(const float* const* lines, int64_t n, int64_t depth, int64_t height, std::byte* to, int64_t tile);
  void (*pack_columns)(const float* const* lines, int64_t n, int64_t depth, std::byte* to, int64_t tile);
  /// Lines of `width` floats (a multiple of 16), one for each of n steps of the depth: across rows of A (tiles of
  /// kRows) or columns of B.
  void (*pack_depth_of_rows)(const float* const* lines, int64_t n, int64_t width, std::byte* to, int64_t tile);
  void (*pack_depth_of_columns)(const float* const* lines, int64_t n, int64_t width, std::byte* to, int64_t tile);

  void (*multiply)(const struct SplitProduct&);
};

/// C (+)= A·B, every element summed in the same order whatever the extents.
struct SplitProduct {
  int64_t rows, columns, steps;  // `columns`: a multiple of kColumns
  int64_t height;                // as configured
  const std::byte* a;
  int64_t a_tile;  // bytes
  const std::byte* b;
  int64_t b_tile;
  /// Row m of C: c_rows ? c_rows[m] : c + m·c_row.
  float* c;
  int64_t c_row;
  float* const* c_rows = nullptr;
  /// What sums begin with where not null; laid out as sums[m·sums_row + n]. May be C itself.
  const float* sums = nullptr;
  int64_t sums_row = 0;
  const TileTail* tail = nullptr;  // its residual lies `residual - c` away from C's elements
  Fetch ahead[BlockProduct::kFetches] = {};
};

/// Null where the processor has no such units, or ONEDNN_MAX_CPU_ISA keeps to others.
const SplitTiles* split_tiles();

namespace amx {
const SplitTiles& split_tiles();
}

}  // namespace graft::cpu
