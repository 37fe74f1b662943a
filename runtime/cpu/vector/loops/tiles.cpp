// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/tiles.h"

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

enum class Form { rows, columns };

struct Tile {
  int64_t depth;
  const float* a;
  int64_t a_row;
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
  bool accumulate;
  const float *bias, *residual;
  const Activation* activation;  // null: the tile is not finished yet
  const float* ahead;
  int64_t ahead_step;
};

/// One tile of `rows` × (`vectors`·kLanes) sums, all in registers from the first multiply-add to the store.
template <Form form, int rows, int vectors>
void multiply_tile(const Tile& t) {
  Lanes sums[rows][vectors];
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[m][j] = Lanes{};
  const float* b = t.b;
  const int64_t a_row = t.a_row, b_row = t.b_row;
  // In row form three base pointers and multiples of the row stride address all rows; one pointer a row would spill.
  const float *a0 = t.a, *a1 = t.a + (rows > 5 ? 5 * a_row : 0), *a2 = t.a + (rows > 10 ? 10 * a_row : 0);
  constexpr int64_t kAhead = 16;  // rows of B: about the latency of the second cache
  // The result's lines come from memory while the sums are made.
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) __builtin_prefetch(t.c + m * t.c_row + j * kLanes, 1);
  const float* ahead = t.ahead;
  const int64_t ahead_step = t.ahead_step;
  for (int64_t k = 0; k < t.depth; ++k) {
    Lanes column[vectors];
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      column[j] = load(b + j * kLanes);
      __builtin_prefetch(b + kAhead * b_row + j * kLanes);
    }
    if constexpr (form == Form::columns) {  // a row of the tile may lie across two lines
      __builtin_prefetch(a0 + kAhead / 2 * a_row);
      __builtin_prefetch(a0 + kAhead / 2 * a_row + rows - 1);
    } else {
      __builtin_prefetch(ahead, 0, 2);
      ahead += ahead_step;
    }
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
      const float* base = form == Form::columns ? a0 + m : (m < 5 ? a0 : m < 10 ? a1 : a2) + (m % 5) * a_row;
      const Lanes factor = broadcast(*base);
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) sums[m][j] += factor * column[j];
    }
    b += b_row;
    if constexpr (form == Form::columns) {
      a0 += a_row;
    } else {
      ++a0, ++a1, ++a2;
      asm volatile("" : "+r"(a0), "+r"(a1), "+r"(a2));  // keeps the compiler from making one pointer a row again
    }
  }
  if (t.accumulate) {
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) sums[m][j] = load(t.c + m * t.c_row + j * kLanes) + sums[m][j];
  }
  if (t.bias) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      const Lanes bias = load(t.bias + j * kLanes);
#pragma GCC unroll 16
      for (int m = 0; m < rows; ++m) sums[m][j] += bias;
    }
  }
  if (t.residual) {
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) sums[m][j] += load(t.residual + m * t.c_row + j * kLanes);
  }
  if (t.activation && t.activation->kind != Activation::Kind::none) {
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) store(t.c + m * t.c_row + j * kLanes, activated(sums[m][j], *t.activation));
    return;
  }
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) store(t.c + m * t.c_row + j * kLanes, sums[m][j]);
}

using TileFunction = void (*)(const Tile&);

struct TileTable {
  TileFunction function[kTileRows + 1][kTileVectors + 1] = {};
};

template <Form form, int rows = kTileRows>
constexpr void fill(TileTable& table) {
  if constexpr (rows > 0) {
    table.function[rows][1] = multiply_tile<form, rows, 1>;
    table.function[rows][2] = multiply_tile<form, rows, 2>;
    fill<form, rows - 1>(table);
  }
}

template <Form form>
constexpr TileTable make_table() {
  TileTable table;
  fill<form>(table);
  return table;
}

template <Form form>
void multiply(const BlockProduct& p) {
  static constexpr TileTable table = make_table<form>();
  constexpr int64_t width = int64_t{kTileVectors} * kLanes;
  for (int64_t n = 0; n < p.columns; n += width) {
    const int64_t vectors = (p.columns - n < width ? p.columns - n : width) / kLanes;
    Tile t{p.depth, p.a, p.a_row, p.b + n / width * p.b_panel, p.b_row, p.c + n, p.c_row, p.accumulate, nullptr, nullptr, nullptr, p.a, 0};
    if (n == 0 && p.ahead) t.ahead = p.ahead, t.ahead_step = p.tile_rows;
    const float* residual = nullptr;
    if (p.tail) {
      t.bias = p.tail->bias ? p.tail->bias + n : nullptr;
      t.activation = &p.tail->activation;
      residual = p.tail->residual ? p.tail->residual + n : nullptr;
    }
    for (int64_t m = 0; m < p.rows; m += p.tile_rows) {
      const int64_t rows = p.rows - m < p.tile_rows ? p.rows - m : p.tile_rows;
      t.residual = residual ? residual + m * p.c_row : nullptr;
      table.function[rows][vectors](t);
      t.a += p.a_tile;
      t.ahead += t.ahead_step * p.depth;
      t.c += p.tile_rows * p.c_row;
    }
  }
}

void pack_panels(const float* const* sources, int64_t n, int64_t width, float* to, int64_t panel) {
  constexpr int64_t panel_width = int64_t{kTileVectors} * kLanes;
  for (int64_t i = 0; i < n; ++i, to += panel_width) {
    const float* from = sources[i];
    float* target = to;
    int64_t c = 0;
    for (; c + panel_width <= width; c += panel_width, target += panel) {
#pragma GCC unroll 2
      for (int j = 0; j < kTileVectors; ++j) store(target + j * kLanes, from ? load(from + c + j * kLanes) : Lanes{});
    }
    for (; c < width; c += kLanes, target += kLanes) store(target, from ? load(from + c) : Lanes{});
  }
}

void pack_tiles(const float* from, int64_t stride, int64_t n, int64_t width, int64_t tile_rows, float* to, int64_t tile) {
  // Whole vectors: what a store writes beyond its tile's row, the next pixel's overwrites.
  constexpr int kVectors = (kTileRows + kLanes - 1) / kLanes;
  for (int64_t i = 0; i < n; ++i, from += stride, to += tile_rows) {
    float* target = to;
    int64_t m = 0;
    for (; m + kVectors * kLanes <= width; m += tile_rows, target += tile) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) store(target + j * kLanes, load(from + m + j * kLanes));
    }
    for (; m < width; m += tile_rows, target += tile) {
      const int64_t rows = width - m < tile_rows ? width - m : tile_rows;
      for (int64_t r = 0; r < rows; ++r) target[r] = from[m + r];
    }
  }
}

constexpr TileKernels kKernels{kTileRows, int64_t{kTileVectors} * kLanes, kLanes, multiply<Form::rows>, multiply<Form::columns>, pack_panels, pack_tiles};

}  // namespace

const TileKernels& tile_kernels() { return kKernels; }

}  // namespace graft::cpu::GRAFT_ISA
