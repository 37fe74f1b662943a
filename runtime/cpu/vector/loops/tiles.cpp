// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/tiles.h"

#include <utility>

#include "runtime/cpu/vector/loops/row_addresses.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

/// How A lies: by rows; by columns, just packed; by columns, wherever it came from.
enum class Form { rows, columns, far_columns };

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kPanelWidth = int64_t{kTileVectors} * kLanes;
constexpr int64_t kFetchRows = 16;  // of B, and of A by columns, fetched ahead: about the latency of the second cache

/// Steps of the depth for one line of a Fetch.
constexpr int64_t steps_a_line(Form form) { return form == Form::rows ? 1 : 2; }

/// Where the next line of a Fetch lies.
struct FetchCursor {
  const float* at;
  int64_t step, left, lines,
      jump;  // to the next line; lines left in this row, and in each; from behind a row to the next
};

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
  FetchCursor* ahead;
};

/// For every sum of a tile and the float it belongs to: sum = body(sum, address, vector).
template <int rows, int vectors, typename Body>
[[gnu::always_inline]] inline void for_sums(Lanes (&sums)[rows][vectors], float* c, int64_t row, const Body& body) {
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m, c += row) {
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[m][j] = body(sums[m][j], c + j * kLanes, j);
    forget_origin(c);
  }
}

/// Adds what was there, the bias and the residual, activates and stores.
template <int rows, int vectors>
[[gnu::always_inline]] inline void finish(const Tile& t, Lanes (&sums)[rows][vectors]) {
  if (t.accumulate) for_sums(sums, t.c, t.c_row, [](Lanes sum, const float* at, int) { return load(at) + sum; });
  if (t.bias)
    for_sums(sums, t.c, t.c_row,
             [bias = t.bias](Lanes sum, const float*, int j) { return sum + load(bias + j * kLanes); });
  if (t.residual) {
    for_sums(sums, t.c, t.c_row,
             [offset = t.residual - t.c](Lanes sum, const float* at, int) { return sum + load(at + offset); });
  }
  if (t.activation && t.activation->kind != Activation::Kind::none) {
    for_sums(sums, t.c, t.c_row,
             [activation = *t.activation](Lanes sum, const float*, int) { return activated(sum, activation); });
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
  // Several steps of the depth at a time, and addresses of base + {0, 1, 2, 3, 4}·stride: what is not a multiply-add or
  // its load must be little, or the processor's front end, not its multipliers, sets the speed.
  const float *a0 = t.a, *b = t.b;
  FetchCursor ahead = *t.ahead;
  const int64_t a_row = t.a_row, b_row = form == Form::far_columns ? t.b_row : kPanelWidth;
  RowAddresses by_rows{
      {a0, a0 + (rows > 5 ? 5 * a_row : 0), a0 + (rows > 10 ? 10 * a_row : 0)}, a_row * kFloat, 3 * a_row * kFloat};
  constexpr int kSteps = form == Form::rows ? 4 : 2;
  // The result's lines are fetched in the first steps, few at a time: all at once they would hold up the operands'
  // loads.
  const float *c = t.c, *const c_last = t.c + (rows - 1) * t.c_row;
  int64_t k = t.depth;
  for (; k >= kSteps; k -= kSteps) {
    if constexpr (form == Form::rows) {
#pragma GCC unroll 4
      for (int u = 0; u < kSteps; ++u) __builtin_prefetch(ahead.at + u * kLineFloats, 0, 2);
      ahead.at += kSteps * ahead.step;
    } else {  // without a branch: the loop is too tight for one that is mispredicted at every row's end
      __builtin_prefetch(ahead.at, 0, 2);
      const bool row_ends = __builtin_expect_with_probability(--ahead.left == 0, true, 0.5);
      ahead.at += row_ends ? ahead.jump : ahead.step;
      ahead.left = row_ends ? ahead.lines : ahead.left;
    }
    __builtin_prefetch(c, 1);
    if (vectors > 1) __builtin_prefetch(c + kLanes, 1);
    c = c < c_last ? c + t.c_row : c;
    const auto step = [&]<int u, int... m>(std::integral_constant<int, u>, std::integer_sequence<int, m...>) {
      constexpr int64_t along_b = form == Form::rows ? u * kPanelWidth : 0;
      Lanes column[vectors];
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) {
        column[j] = load(b + along_b + j * kLanes);
        if constexpr (form != Form::columns) __builtin_prefetch(b + along_b + kFetchRows * b_row + j * kLanes);
      }
      if constexpr (form == Form::far_columns) {  // a row of the tile may lie across two lines
        __builtin_prefetch(a0 + kFetchRows / 2 * a_row);
        __builtin_prefetch(a0 + kFetchRows / 2 * a_row + rows - 1);
      }
      const auto add_row = [&]<int row>(std::integral_constant<int, row>) {
        Lanes factor;
        if constexpr (form == Form::rows)
          factor = row_factor<row, u>(by_rows);
        else
          factor = broadcast(a0[row]);
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) sums[row][j] = multiply_add(factor, column[j], sums[row][j]);
      };
      (add_row(std::integral_constant<int, m>{}), ...);
      // One step after the other: their sums fill the registers.
      if constexpr (form != Form::rows) {
        a0 += a_row, b += b_row;
        forget_origin(a0);
      }
      forget_origin(b);
    };
    const auto steps = [&]<int... u>(std::integer_sequence<int, u...>) {
      (step(std::integral_constant<int, u>{}, std::make_integer_sequence<int, rows>{}), ...);
    };
    steps(std::make_integer_sequence<int, kSteps>{});
    if constexpr (form == Form::rows) {
      a0 += kSteps, b += kSteps * kPanelWidth;
      for (const float*& base : by_rows.base) base += kSteps;
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
      for (int j = 0; j < vectors; ++j) sums[m][j] = multiply_add(factor, column[j], sums[m][j]);
    }
    b += b_row;
    a0 += form != Form::rows ? a_row : 1;
  }
  *t.ahead = ahead;
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

/// Goes through the matrices of a BlockProduct's `ahead`.
class Fetcher {
 public:
  explicit Fetcher(const BlockProduct& p) : p_(p) { advance(0); }
  FetchCursor cursor;
  /// After each tile, which has fetched `lines`.
  void advance(int64_t lines) {
    left_ -= lines;
    while (left_ <= 0) {
      if (next_ == BlockProduct::kFetches) {  // nothing more: one line of A, over and over
        cursor = {p_.a, 0, 1, 1, 0};
        return;
      }
      const Fetch& f = p_.ahead[next_++];
      cursor = {f.at, kLineFloats, f.lines, f.lines, f.pitch - (f.lines - 1) * kLineFloats};
      left_ = f.rows * f.lines;
    }
  }

 private:
  const BlockProduct& p_;
  int next_ = 0;
  int64_t left_ = 0;
};

template <Form form>
void multiply(const BlockProduct& p) {
  static constexpr TileTable table = make_table<form>();
  constexpr int64_t width = int64_t{kTileVectors} * kLanes;
  Fetcher fetcher(p);
  for (int64_t n = 0; n < p.columns; n += width) {
    const int64_t vectors = (p.columns - n < width ? p.columns - n : width) / kLanes;
    Tile t{p.depth, p.a,     p.a_row, p.b + n / width * p.b_panel,
           p.b_row, p.c + n, p.c_row, p.accumulate,
           nullptr, nullptr, nullptr, &fetcher.cursor};
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
      fetcher.advance(p.depth / steps_a_line(form));
      t.a += p.a_tile;
      t.c += p.tile_rows * p.c_row;
    }
  }
}

void multiply_columns(const BlockProduct& p) { p.far ? multiply<Form::far_columns>(p) : multiply<Form::columns>(p); }

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

/// Rows packed side by side: enough to write each tile in runs, few enough that rows a power of two apart share a cache
/// set.
constexpr int64_t kPackRows = 4;

void pack_tiles(const float* from, int64_t stride, int64_t n, int64_t width, int64_t tile_rows, float* to,
                int64_t tile) {
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

constexpr TileKernels kKernels{
    kTileRows, int64_t{kTileVectors} * kLanes, kLanes, multiply<Form::rows>, multiply_columns, pack_panels, pack_tiles};

}  // namespace

const TileKernels& tile_kernels() { return kKernels; }

}  // namespace graft::cpu::GRAFT_ISA
