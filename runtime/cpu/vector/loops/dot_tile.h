#pragma once

// For files that are compiled for one instruction set; see loops.cpp for what such a file may include.

#include <immintrin.h>

#include <utility>

#include "runtime/cpu/vector/dot_tiles.h"
#include "runtime/cpu/vector/loops/row_addresses.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

constexpr int kRows = DotShape::kRows, kVectors = 2, kWords = 16;  // of a tile, and words of a register
static_assert(kVectors * kWords == DotShape::kColumns);
constexpr int64_t kPanelBytes = DotShape::kColumns * 4;  // of one word of the depth
constexpr int64_t kFetchAhead = 16 * kPanelBytes;        // of B: about the latency of the second cache

template <typename Tail>
struct Tile {
  int64_t words;
  const std::byte* a;
  int64_t a_row;
  const std::byte* b;
  int64_t column, columns;  // the first of the tile's in C, and how many there are of them
  std::byte* c;
  int64_t c_at, c_row, element_bytes;  // element of row 0, column 0; elements between rows; bytes of one
  const Tail* tail;
  bool prefetch_a;
  bool bare;  // whole registers of sums are the result

  /// Of the columns from 16·j on, those that there are.
  __mmask16 mask(int64_t j) const {
    const int64_t left = columns - j * kWords;
    return left >= kWords ? __mmask16(0xffff) : static_cast<__mmask16>((1u << left) - 1);
  }
};

/// One tile of `rows` × (`vectors`·16) sums, all in registers from the first product to the store.
template <typename Dot, int rows, int vectors>
void multiply_tile(const Tile<typename Dot::Tail>& t) {
  typename Dot::Sum sums[rows][vectors];
#pragma GCC unroll 14
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) sums[m][j] = typename Dot::Sum{};
  const auto* a = reinterpret_cast<const float*>(t.a);
  const std::byte* b = t.b;
  const auto row = [&](int m) { return reinterpret_cast<const float*>(t.a + m * t.a_row); };
  RowAddresses at{{a, rows > 5 ? row(5) : a, rows > 10 ? row(10) : a}, t.a_row, 3 * t.a_row};
  const auto step = [&]<int u, int... m>(std::integral_constant<int, u>, std::integer_sequence<int, m...>)
      __attribute__((always_inline)) {
    Lanes column[vectors];
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) {
      column[j] = load(reinterpret_cast<const float*>(b + u * kPanelBytes) + j * kWords);
      __builtin_prefetch(b + u * kPanelBytes + kFetchAhead + j * kWords * 4);
    }
    const auto add_row = [&]<int r>(std::integral_constant<int, r>) __attribute__((always_inline)) {
      const Lanes factor = row_factor<r, u>(at);
#pragma GCC unroll 2
      for (int j = 0; j < vectors; ++j) sums[r][j] = Dot::add(sums[r][j], factor, column[j]);
    };
    (add_row(std::integral_constant<int, m>{}), ...);
    forget_origin(b);
  };
  constexpr int kSteps = 4;
  const auto steps = [&]<int... u>(std::integer_sequence<int, u...>) __attribute__((always_inline)) {
    (step(std::integral_constant<int, u>{}, std::make_integer_sequence<int, rows>{}), ...);
  };
  // The result's lines, and the residual's, are fetched in the first steps, few at a time: all at once they would hold
  // up the operands' loads.
  const int64_t bytes = t.element_bytes * t.c_row;
  const std::byte *c = t.c + t.element_bytes * t.c_at, *const c_last = c + (rows - 1) * bytes;
  const int64_t to_residual = t.tail->residual ? t.tail->residual - t.c : 0;
  // The next tile's rows: a line of them a step.
  const std::byte* next = t.prefetch_a ? t.a + rows * t.a_row : t.a;
  const int64_t next_step = t.prefetch_a ? kSteps * 64 : 0;
  int64_t k = t.words;
  for (; k >= kSteps; k -= kSteps) {
#pragma GCC unroll 2
    for (int line = 0; line < 2; ++line) {
      __builtin_prefetch(c, 1);
      __builtin_prefetch(c + to_residual);
      c = c < c_last ? c + bytes : c;
    }
#pragma GCC unroll 4
    for (int line = 0; line < kSteps; ++line) __builtin_prefetch(next + line * 64, 0, 2);
    next += next_step;
    steps(std::make_integer_sequence<int, kSteps>{});
    b += kSteps * kPanelBytes;
    for (const float*& base : at.base) base += kSteps;
  }
  for (; k > 0; --k) {
    step(std::integral_constant<int, 0>{}, std::make_integer_sequence<int, rows>{});
    b += kPanelBytes;
    for (const float*& base : at.base) ++base;
  }
  if constexpr (Dot::kWritesSums) {
    if (t.bare) {
      auto* to = reinterpret_cast<float*>(t.c) + t.c_at;
#pragma GCC unroll 14
      for (int m = 0; m < rows; ++m, to += t.c_row)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; ++j) store(to + j * kWords, sums[m][j]);
      return;
    }
  }
  // By way of memory: what follows has a form for each type of result, and there are many tiles.
  alignas(64) typename Dot::Sum kept[rows * vectors];
#pragma GCC unroll 14
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
    for (int j = 0; j < vectors; ++j) kept[m * vectors + j] = sums[m][j];
  Dot::finish(t, kept, rows, vectors);
}

constexpr int64_t bytes_of(DType type) { return type == DType::f32 ? 4 : type == DType::bf16 ? 2 : 1; }

template <typename Dot>
struct TileTable {
  using Function = void (*)(const Tile<typename Dot::Tail>&);
  Function function[kRows + 1][kVectors + 1] = {};
};

template <typename Dot, int rows = kRows>
constexpr void fill(TileTable<Dot>& table) {
  if constexpr (rows > 0) {
    table.function[rows][1] = multiply_tile<Dot, rows, 1>;
    table.function[rows][2] = multiply_tile<Dot, rows, 2>;
    fill<Dot, rows - 1>(table);
  }
}

template <typename Dot>
constexpr TileTable<Dot> make_table() {
  TileTable<Dot> table;
  fill(table);
  return table;
}

template <typename Dot>
void multiply(const DotProduct<typename Dot::Tail>& p) {
  static constexpr TileTable<Dot> table = make_table<Dot>();
  constexpr int64_t kWidth = DotShape::kColumns;
  const bool bare = Dot::writes_sums(*p.tail) && p.columns % kWords == 0;
  for (int64_t n = 0; n < p.columns; n += kWidth) {
    const int64_t columns = p.columns - n < kWidth ? p.columns - n : kWidth;
    Tile<typename Dot::Tail> t{p.words, p.a, p.a_row, p.b + n / kWidth * p.b_panel, n,      columns,
                               p.c,     n,   p.c_row, bytes_of(p.tail->type),       p.tail, p.prefetch_a,
                               bare};
    for (int64_t m = 0; m < p.rows; m += p.tile_rows) {
      const int64_t rows = p.rows - m < p.tile_rows ? p.rows - m : p.tile_rows;
      table.function[rows][columns > kWords ? 2 : 1](t);
      t.a += p.tile_rows * p.a_row;
      t.c_at += p.tile_rows * p.c_row;
    }
  }
}

}  // namespace
}  // namespace graft::cpu::GRAFT_ISA
