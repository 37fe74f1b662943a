// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/tiles.h"

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

/// How A lies: by rows; by columns, just packed; by columns, wherever it came from.
enum class Form { rows, columns, far_columns };

constexpr int64_t kPanelWidth = int64_t{kTileVectors} * kLanes;
constexpr int64_t kFetchRows = 16;  // of B, and of A by columns, fetched ahead: about the latency of the second cache

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

/// Hides a pointer's origin, so that the compiler steps it instead of keeping an address for each row in a register it needs.
template <typename T>
inline void forget_origin(T*& p) {
  asm volatile("" : "+r"(p));
}

/// For every sum of a tile and the float it belongs to: sum = body(sum, address, vector).
template <int rows, int vectors, typename Body>
inline void for_sums(Lanes (&sums)[rows][vectors], float* c, int64_t row, const Body& body) {
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m, c += row) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[m][j] = body(sums[m][j], c + j * kLanes, j);
    forget_origin(c);
  }
}

/// Adds what was there, the bias and the residual, activates and stores.
template <int rows, int vectors>
inline void finish(const Tile& t, Lanes (&sums)[rows][vectors]) {
  if (t.accumulate) for_sums(sums, t.c, t.c_row, [](Lanes sum, const float* at, int) { return load(at) + sum; });
  if (t.bias) for_sums(sums, t.c, t.c_row, [bias = t.bias](Lanes sum, const float*, int j) { return sum + load(bias + j * kLanes); });
  if (t.residual) {
    for_sums(sums, t.c, t.c_row, [offset = t.residual - t.c](Lanes sum, const float* at, int) { return sum + load(at + offset); });
  }
  if (t.activation && t.activation->kind != Activation::Kind::none) {
    for_sums(sums, t.c, t.c_row, [activation = *t.activation](Lanes sum, const float*, int) { return activated(sum, activation); });
  }
  for_sums(sums, t.c, t.c_row, [](Lanes sum, float* at, int) {
    store(at, sum);
    return sum;
  });
}

/// One tile of `rows` × (`vectors`·kLanes) sums, all in registers from the first multiply-add to the store.
template <Form form, int rows, int vectors>
void multiply_tile(const Tile& t) {
  Lanes sums[rows][vectors];
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[m][j] = Lanes{};
  // Several steps of the depth at a time, and addresses of base + {0, 1, 2, 3, 4}·stride: what is not a multiply-add or its load
  // must be little, or the processor's front end, not its multipliers, sets the speed.
  const float *a0 = t.a, *b = t.b, *ahead = t.ahead;
  const int64_t a_row = t.a_row, a_row3 = 3 * a_row, b_row = form == Form::rows ? kPanelWidth : t.b_row;
  const float *a1 = a0 + (form == Form::rows && rows > 5 ? 5 * a_row : 0), *a2 = a0 + (form == Form::rows && rows > 10 ? 10 * a_row : 0);
  constexpr int kSteps = form == Form::rows ? 4 : 1;
  // The result's lines are fetched in the first steps, few at a time: all at once they would hold up the operands' loads.
  const float *c = t.c, *const c_last = t.c + (rows - 1) * t.c_row;
  int64_t k = t.depth;
  for (; k >= kSteps; k -= kSteps) {
    if constexpr (form == Form::rows) {
#pragma GCC unroll 4
      for (int u = 0; u < kSteps; ++u) __builtin_prefetch(ahead + u * 16, 0, 2);
      ahead += t.ahead_step;
    }
    __builtin_prefetch(c, 1);
    if (vectors > 1) __builtin_prefetch(c + kLanes, 1);
    c = c < c_last ? c + t.c_row : c;
#pragma GCC unroll 4
    for (int u = 0; u < kSteps; ++u) {
      Lanes column[vectors];
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) {
        column[j] = load(b + u * b_row + j * kLanes);
        if constexpr (form != Form::columns) __builtin_prefetch(b + (kFetchRows + u) * b_row + j * kLanes);
      }
      if constexpr (form == Form::far_columns) {  // a row of the tile may lie across two lines
        __builtin_prefetch(a0 + kFetchRows / 2 * a_row);
        __builtin_prefetch(a0 + kFetchRows / 2 * a_row + rows - 1);
      }
#pragma GCC unroll 16
      for (int m = 0; m < rows; ++m) {
        const float* const base = form != Form::rows ? a0 + u * a_row + m : (m < 5 ? a0 : m < 10 ? a1 : a2) + (m % 5 == 3 ? a_row3 : m % 5 * a_row) + u;
        const Lanes factor = broadcast(*base);
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) sums[m][j] += factor * column[j];
      }
      // One step after the other: their sums fill the registers.
      if (u + 1 == kSteps) {
        b += kSteps * b_row;
        a0 += kSteps * (form != Form::rows ? a_row : 1);
        a1 += kSteps, a2 += kSteps;
      }
      forget_origin(b);
      forget_origin(a0);
      if constexpr (form == Form::rows) {
        forget_origin(a1);
        forget_origin(a2);
      }
    }
  }
  for (; k > 0; --k) {
    Lanes column[vectors];
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) column[j] = load(b + j * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
      const Lanes factor = broadcast(a0[form != Form::rows ? m : m * a_row]);
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) sums[m][j] += factor * column[j];
    }
    b += b_row;
    a0 += form != Form::rows ? a_row : 1;
  }
  finish(t, sums);
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
    if (n == 0 && p.ahead) t.ahead = p.ahead, t.ahead_step = 4 * p.tile_rows;
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
      t.ahead += t.ahead_step * (p.depth / 4);
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

/// Rows packed side by side: enough to write each tile in runs, few enough that rows a power of two apart share a cache set.
constexpr int64_t kPackRows = 4;

void pack_tiles(const float* from, int64_t stride, int64_t n, int64_t width, int64_t tile_rows, float* to, int64_t tile) {
  // Whole vectors: what a store writes beyond its row of a tile, the next row's overwrites.
  constexpr int kVectors = (kTileRows + kLanes - 1) / kLanes;
  for (int64_t i0 = 0; i0 < n; i0 += kPackRows) {
    const int64_t rows = n - i0 < kPackRows ? n - i0 : kPackRows;
    float* target = to + i0 * tile_rows;
    int64_t m = 0;
    for (; m + kVectors * kLanes <= width; m += tile_rows, target += tile) {
      for (int64_t i = 0; i < rows; ++i) {
        const float* source = from + (i0 + i) * stride + m;
#pragma GCC unroll 2
        for (int j = 0; j < kVectors; ++j) store(target + i * tile_rows + j * kLanes, load(source + j * kLanes));
      }
    }
    for (; m < width; m += tile_rows, target += tile) {
      const int64_t columns = width - m < tile_rows ? width - m : tile_rows;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t r = 0; r < columns; ++r) target[i * tile_rows + r] = from[(i0 + i) * stride + m + r];
    }
  }
}

void multiply_columns(const BlockProduct& p) { p.far ? multiply<Form::far_columns>(p) : multiply<Form::columns>(p); }

constexpr TileKernels kKernels{kTileRows, int64_t{kTileVectors} * kLanes, kLanes, multiply<Form::rows>, multiply_columns, pack_panels, pack_tiles};

}  // namespace

const TileKernels& tile_kernels() { return kKernels; }

}  // namespace graft::cpu::GRAFT_ISA
