#pragma once

// For files that are compiled for one instruction set; see loops.cpp for what such a file may include.

#include <immintrin.h>

#include <utility>

#include "runtime/cpu/vector/dot_tiles.h"
#include "runtime/cpu/vector/loops/row_addresses.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

constexpr int kRows = DotTiles::kRows, kVectors = 2, kWords = 16;  // of a tile, and words of a register
static_assert(kVectors * kWords == DotTiles::kColumns);
constexpr int64_t kPanelBytes = DotTiles::kColumns * 4;  // of one word of the depth
constexpr int64_t kFetchAhead = 16 * kPanelBytes;        // of B: about the latency of the second cache

/// 16 elements of the residual, those of `mask`, as floats.
template <typename Dot, DType type>
inline __m512 load_residual(const DotTail& tail, int64_t at, __mmask16 mask) {
  if constexpr (type == DType::bf16) return Dot::widened(_mm256_maskz_loadu_epi16(mask, tail.residual + 2 * at));
  if constexpr (type == DType::f32)
    return _mm512_maskz_loadu_ps(mask, reinterpret_cast<const float*>(tail.residual) + at);
  const __m128i bytes = _mm_maskz_loadu_epi8(mask, tail.residual + at);
  const __m512i whole = type == DType::u8 ? _mm512_cvtepu8_epi32(bytes) : _mm512_cvtepi8_epi32(bytes);
  return (_mm512_cvtepi32_ps(whole) - _mm512_set1_ps(tail.residual_zero)) * _mm512_set1_ps(tail.residual_scale);
}

/// Rounded to the result's type and stored, the elements of `mask`.
template <typename Dot, DType type>
inline void store_result(const DotTail& tail, __m512 v, std::byte* c, int64_t at, __mmask16 mask) {
  if constexpr (type == DType::bf16) return _mm256_mask_storeu_epi16(c + 2 * at, mask, Dot::narrowed(v));
  if constexpr (type == DType::f32) return _mm512_mask_storeu_ps(reinterpret_cast<float*>(c) + at, mask, v);
  const __m512i whole = _mm512_cvtps_epi32(v * _mm512_set1_ps(tail.result_scale) + _mm512_set1_ps(tail.result_zero));
  if constexpr (type == DType::i8) return _mm512_mask_cvtsepi32_storeu_epi8(c + at, mask, whole);
  _mm512_mask_cvtusepi32_storeu_epi8(c + at, mask, _mm512_max_epi32(whole, _mm512_setzero_si512()));
}

struct Tile {
  int64_t words;
  const std::byte* a;
  int64_t a_row;
  const std::byte* b;
  int64_t column, columns;  // the first of the tile's in C, and how many there are of them
  std::byte* c;
  int64_t c_at, c_row, element_bytes;  // element of row 0, column 0; elements between rows; bytes of one
  const DotTail* tail;
  bool far;
  bool bare;  // whole registers of float sums are the result
};

enum class Activating { no, relu, otherwise };

template <Activating activating>
inline Lanes activated_as(Lanes v, const Activation& activation) {
  if constexpr (activating == Activating::relu) return v < Lanes{} ? Lanes{} : v;  // NaN stays
  if constexpr (activating == Activating::otherwise) return activated(v, activation);
  return v;
}

/// Sums of `rows` × `vectors` registers become results.
template <typename Dot, DType type, bool has_residual, Activating activating>
void finish(const Tile& t, const typename Dot::Sum* sums, int64_t rows, int64_t vectors) {
  const DotTail tail = *t.tail;
  if constexpr (Dot::kWritesPairs && type == DType::bf16) {
    if (t.columns == DotTiles::kColumns) {
      const float* const bias_at = tail.bias + t.column;
      const Lanes bias[2] = {tail.bias ? load(bias_at) : Lanes{}, tail.bias ? load(bias_at + kWords) : Lanes{}};
      int64_t at = t.c_at;
      for (int64_t m = 0; m < rows; ++m, at += t.c_row) {
        Lanes v[2] = {sums[2 * m] + bias[0], sums[2 * m + 1] + bias[1]};
        if constexpr (has_residual) Dot::add_pair(tail.residual + 2 * at, v);
        Dot::store_pair(t.c + 2 * at, activated_as<activating>(v[0], tail.activation),
                        activated_as<activating>(v[1], tail.activation));
      }
      return;
    }
  }
  for (int64_t j = 0; j < vectors; ++j) {
    const int64_t left = t.columns - j * kWords;
    const auto mask = left >= kWords ? __mmask16(0xffff) : static_cast<__mmask16>((1u << left) - 1);
    const Lanes scale =
        tail.scale ? _mm512_maskz_loadu_ps(mask, tail.scale + t.column + j * kWords) : _mm512_set1_ps(1);
    const Lanes bias = tail.bias ? _mm512_maskz_loadu_ps(mask, tail.bias + t.column + j * kWords) : Lanes{};
    int64_t at = t.c_at + j * kWords;
    for (int64_t m = 0; m < rows; ++m, at += t.c_row) {
      Lanes v = Dot::value(sums[m * vectors + j], scale) + bias;
      if constexpr (has_residual) v += load_residual<Dot, type>(tail, at, mask);
      store_result<Dot, type>(tail, activated_as<activating>(v, tail.activation), t.c, at, mask);
    }
  }
}

template <typename Dot, DType type>
void finish_as(const Tile& t, const typename Dot::Sum* sums, int64_t rows, int64_t vectors) {
  const auto kind = t.tail->activation.kind;
  const auto go = [&]<Activating activating>(std::integral_constant<Activating, activating>) {
    t.tail->residual ? finish<Dot, type, true, activating>(t, sums, rows, vectors)
                     : finish<Dot, type, false, activating>(t, sums, rows, vectors);
  };
  if (kind == Activation::Kind::none) return go(std::integral_constant<Activating, Activating::no>{});
  if (kind == Activation::Kind::relu) return go(std::integral_constant<Activating, Activating::relu>{});
  go(std::integral_constant<Activating, Activating::otherwise>{});
}

template <typename Dot>
void finish(const Tile& t, const typename Dot::Sum* sums, int64_t rows, int64_t vectors) {
  switch (t.tail->type) {
    case DType::bf16:
      return finish_as<Dot, DType::bf16>(t, sums, rows, vectors);
    case DType::u8:
      return finish_as<Dot, DType::u8>(t, sums, rows, vectors);
    case DType::i8:
      return finish_as<Dot, DType::i8>(t, sums, rows, vectors);
    default:
      return finish_as<Dot, DType::f32>(t, sums, rows, vectors);
  }
}

/// One tile of `rows` × (`vectors`·16) sums, all in registers from the first product to the store.
template <typename Dot, int rows, int vectors>
void multiply_tile(const Tile& t) {
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
  // The result's lines, and the residual's, are fetched in the first steps, few at a time: all at once they would hold up
  // the operands' loads.
  const int64_t bytes = t.element_bytes * t.c_row;
  const std::byte *c = t.c + t.element_bytes * t.c_at, *const c_last = c + (rows - 1) * bytes;
  const int64_t to_residual = t.tail->residual ? t.tail->residual - t.c : 0;
  // The next tile's rows: a line of them a step.
  const std::byte* next = t.far ? t.a + rows * t.a_row : t.a;
  const int64_t next_step = t.far ? kSteps * 64 : 0;
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
  if constexpr (Dot::kWritesPairs) {
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
  finish<Dot>(t, kept, rows, vectors);
}

constexpr int64_t bytes_of(DType type) { return type == DType::f32 ? 4 : type == DType::bf16 ? 2 : 1; }

using TileFunction = void (*)(const Tile&);

struct TileTable {
  TileFunction function[kRows + 1][kVectors + 1] = {};
};

template <typename Dot, int rows = kRows>
constexpr void fill(TileTable& table) {
  if constexpr (rows > 0) {
    table.function[rows][1] = multiply_tile<Dot, rows, 1>;
    table.function[rows][2] = multiply_tile<Dot, rows, 2>;
    fill<Dot, rows - 1>(table);
  }
}

template <typename Dot>
constexpr TileTable make_table() {
  TileTable table;
  fill<Dot>(table);
  return table;
}

template <typename Dot>
void multiply(const DotProduct& p) {
  static constexpr TileTable table = make_table<Dot>();
  const DotTail& tail = *p.tail;
  const bool bare = tail.type == DType::f32 && !tail.scale && !tail.bias && !tail.residual &&
                    tail.activation.kind == Activation::Kind::none && p.columns % kWords == 0;
  for (int64_t n = 0; n < p.columns; n += DotTiles::kColumns) {
    const int64_t columns = p.columns - n < DotTiles::kColumns ? p.columns - n : DotTiles::kColumns;
    Tile t{p.words, p.a, p.a_row, p.b + n / DotTiles::kColumns * p.b_panel, n, columns, p.c, n, p.c_row,
           bytes_of(p.tail->type), p.tail, p.far, bare};
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
