// Compiled for AMX alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/split_tiles.h"

#include <immintrin.h>

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::amx {
namespace {

constexpr int64_t kPart = 1024;  // bytes of one part of a tile: 16 rows of a cache line
constexpr int64_t kLine = 64;

/// What ldtilecfg reads.
struct TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfiguration) == 64);

/// C in 0 to 3, A in 4 and 5, B in 6 and 7.
void configure(int64_t height) {
  TileConfiguration c;
  for (int tile = 0; tile < 8; ++tile) {
    c.row_bytes[tile] = kLine;
    c.rows[tile] = static_cast<uint8_t>(tile < 6 ? height : 16);
  }
  asm volatile(
      "ldtilecfg %0"
      :
      : "m"(c));  // GCC 12's own _tile_loadconfig says that it reads eight bytes, and the rest is never written
}

void release() { _tile_release(); }

/// Rounded to bfloat16, its bits where a float32 has them.
inline __m512i rounded(__m512 x) {
  return _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000)),
                          _mm512_set1_epi32(static_cast<int>(0xffff0000)));
}

struct Parts {
  __m512i part[3];  // 16 numbers each, bfloat16 in the upper halves
};

inline Parts split(__m512 x) {
  const __m512i first = rounded(x);
  const __m512 rest = _mm512_sub_ps(x, _mm512_castsi512_ps(first));
  const __m512i second = rounded(rest);
  return {{first, second, _mm512_castps_si512(_mm512_sub_ps(rest, _mm512_castsi512_ps(second)))}};
}

/// The units take numbers too small for normal form as zeros; making parts of that size would cost hundreds of cycles
/// each.
class FlushDenormals {
 public:
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~FlushDenormals() { _mm_setcsr(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 1u << 15, kDenormalsAreZero = 1u << 6;
  unsigned before_;
};

inline __m512 load_or_zeros(const float* p) { return p ? _mm512_loadu_ps(p) : _mm512_setzero_ps(); }

/// Words 1, 3, … of `low`, then of `high`.
inline __m512i side_by_side(__m512i low, __m512i high) {
  const __m512i odd = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31, 29, 27, 25,
                                       23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return _mm512_permutex2var_epi16(low, odd, high);
}

/// Upper halves of `even` and `odd` in turns.
inline __m512i in_turns(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(even, 16), odd);
}

/// 16×16 numbers of four bytes.
inline void transpose(__m512i (&v)[16]) {
  __m512i w[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    w[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
    w[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    v[i] = _mm512_unpacklo_epi64(w[i], w[i + 2]);
    v[i + 1] = _mm512_unpackhi_epi64(w[i], w[i + 2]);
    v[i + 2] = _mm512_unpacklo_epi64(w[i + 1], w[i + 3]);
    v[i + 3] = _mm512_unpackhi_epi64(w[i + 1], w[i + 3]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    w[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
    w[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
    w[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
    w[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) {
    v[i] = _mm512_shuffle_i32x4(w[i], w[i + 8], 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(w[i], w[i + 8], 0xdd);
  }
}

void transpose_part(std::byte* part) {
  __m512i v[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) v[i] = _mm512_load_si512(part + i * kLine);
  transpose(v);
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) _mm512_store_si512(part + i * kLine, v[i]);
}

/// Depth along each line.
inline void pack_line(const float* line, int64_t depth, std::byte* to) {
  for (int64_t k = 0; k < depth; k += SplitTiles::kDepth, to += SplitTiles::kStepBytes) {
    const Parts low = split(load_or_zeros(line ? line + k : nullptr));
    const Parts high = split(load_or_zeros(line && k + 16 < depth ? line + k + 16 : nullptr));
#pragma GCC unroll 3
    for (int p = 0; p < 3; ++p) _mm512_store_si512(to + p * kPart, side_by_side(low.part[p], high.part[p]));
  }
}

void pack_rows(const float* const* lines, int64_t n, int64_t depth, int64_t height, std::byte* to, int64_t tile) {
  const FlushDenormals flush;
  for (int64_t first = 0; first < n; first += height, to += tile) {
    const int64_t rows = n - first < height ? n - first : height;
    for (int64_t i = 0; i < rows; ++i) pack_line(lines[first + i], depth, to + i * kLine);
  }
}

void pack_columns(const float* const* lines, int64_t n, int64_t depth, std::byte* to, int64_t tile) {
  const FlushDenormals flush;
  for (int64_t first = 0; first < n; first += SplitTiles::kColumns, to += tile) {
    for (int64_t i = 0; i < SplitTiles::kColumns; ++i)
      pack_line(first + i < n ? lines[first + i] : nullptr, depth, to + i * kLine);
    for (int64_t part = 0; part < (depth + 31) / 32 * SplitTiles::kStepBytes; part += kPart) transpose_part(to + part);
  }
}

/// Depth across lines: two of them make a row of pairs.
template <bool transposed>
void pack_depth(const float* const* lines, int64_t n, int64_t width, std::byte* to, int64_t tile) {
  const FlushDenormals flush;
  for (int64_t k0 = 0; k0 < n; k0 += SplitTiles::kDepth, to += SplitTiles::kStepBytes) {
    std::byte* target = to;
    for (int64_t c = 0; c < width; c += 16, target += tile) {
      __m512i pairs[3][16];
#pragma GCC unroll 16
      for (int i = 0; i < 16; ++i) {
        const int64_t k = k0 + 2 * i;
        const float *even = k < n ? lines[k] : nullptr, *odd = k + 1 < n ? lines[k + 1] : nullptr;
        const Parts a = split(load_or_zeros(even ? even + c : nullptr)),
                    b = split(load_or_zeros(odd ? odd + c : nullptr));
#pragma GCC unroll 3
        for (int p = 0; p < 3; ++p) {
          if constexpr (transposed)
            pairs[p][i] = in_turns(a.part[p], b.part[p]);
          else
            _mm512_store_si512(target + p * kPart + i * kLine, in_turns(a.part[p], b.part[p]));
        }
      }
      if constexpr (transposed) {
        for (int p = 0; p < 3; ++p) {
          transpose(pairs[p]);
#pragma GCC unroll 16
          for (int i = 0; i < 16; ++i) _mm512_store_si512(target + p * kPart + i * kLine, pairs[p][i]);
        }
      }
    }
  }
}

/// Goes through the matrices of a product's `ahead`, a few lines at a time.
class LineFetcher {
 public:
  LineFetcher(const Fetch* ahead, int64_t turns) : fetch_(ahead), end_(ahead + BlockProduct::kFetches) {
    int64_t lines = 0;
    for (const Fetch* f = fetch_; f < end_; ++f) lines += f->rows * f->lines;
    a_turn_ = turns > 0 ? (lines + turns - 1) / turns : 0;
    if (a_turn_ > kMost) a_turn_ = kMost;
  }
  void turn() {
    for (int64_t i = 0; i < a_turn_; ++i) {
      while (fetch_ < end_ && row_ >= fetch_->rows) ++fetch_, row_ = 0;
      if (fetch_ == end_) return;
      __builtin_prefetch(fetch_->at + row_ * fetch_->pitch + line_ * kLineFloats, 0, 2);
      if (++line_ >= fetch_->lines) line_ = 0, ++row_;
    }
  }

 private:
  static constexpr int64_t kMost = 24;
  const Fetch *fetch_, *end_;
  int64_t row_ = 0, line_ = 0, a_turn_;
};

/// R × C tiles of sums, to 16·C floats a row at `to`, added to what is there with `add`. The result's lines are fetched
/// meanwhile: `first` row of `rows`, each as wide as the tiles.
template <int R, int C, typename RowOf>
void sum_tiles(const SplitProduct& p, const std::byte* a, const std::byte* b, float* to, int64_t to_row, bool add,
               const RowOf& coming, int64_t coming_rows, LineFetcher& fetcher) {
  const std::byte *a0 = a, *a1 = a + p.a_tile, *b0 = b, *b1 = b + p.b_tile;
  const int64_t bytes = to_row * static_cast<int64_t>(sizeof(float));
  if (add) {
    _tile_loadd(0, to, bytes);
    if constexpr (C > 1) _tile_loadd(1, to + 16, bytes);
    if constexpr (R > 1) _tile_loadd(2, to + p.height * to_row, bytes);
    if constexpr (R > 1 && C > 1) _tile_loadd(3, to + p.height * to_row + 16, bytes);
  } else {
    _tile_zero(0);
    if constexpr (C > 1) _tile_zero(1);
    if constexpr (R > 1) _tile_zero(2);
    if constexpr (R > 1 && C > 1) _tile_zero(3);
  }
  const auto load_a = [&](int part) __attribute__((always_inline)) {
    _tile_loadd(4, a0 + part * kPart, kLine);
    if constexpr (R > 1) _tile_loadd(5, a1 + part * kPart, kLine);
  };
  const auto load_b = [&](int part) __attribute__((always_inline)) {
    _tile_loadd(6, b0 + part * kPart, kLine);
    if constexpr (C > 1) _tile_loadd(7, b1 + part * kPart, kLine);
  };
  const auto multiply = [&]() __attribute__((always_inline)) {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (C > 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (R > 1) _tile_dpbf16ps(2, 5, 6);
    if constexpr (R > 1 && C > 1) _tile_dpbf16ps(3, 5, 7);
  };
  const int64_t rows_a_step = p.steps > 0 ? (coming_rows + p.steps - 1) / p.steps : 0;
  int64_t row = 0;
  for (int64_t k = 0; k < p.steps; ++k) {
    load_a(2), load_b(0), multiply();
    load_a(1), multiply();
    for (int64_t end = row + rows_a_step < coming_rows ? row + rows_a_step : coming_rows; row < end; ++row) {
      float* const line = coming(row);
      __builtin_prefetch(line, 1);
      if constexpr (C > 1) __builtin_prefetch(line + 16, 1);
    }
    load_b(1), multiply();
    fetcher.turn();
    load_a(0), multiply();
    load_b(0), multiply();
    load_b(2), multiply();
    a0 += SplitTiles::kStepBytes, a1 += SplitTiles::kStepBytes, b0 += SplitTiles::kStepBytes,
        b1 += SplitTiles::kStepBytes;
  }
  _tile_stored(0, to, bytes);
  if constexpr (C > 1) _tile_stored(1, to + 16, bytes);
  if constexpr (R > 1) _tile_stored(2, to + p.height * to_row, bytes);
  if constexpr (R > 1 && C > 1) _tile_stored(3, to + p.height * to_row + 16, bytes);
}

/// Sums in a small buffer become results: bias, residual, activation.
template <int C>
void finish_rows(const SplitProduct& p, const float* sums, int64_t m0, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i) {
    float* const c = (p.c_rows ? p.c_rows[m0 + i] : p.c + (m0 + i) * p.c_row) + n;
#pragma GCC unroll 2
    for (int j = 0; j < C; ++j) {
      Lanes v = load(sums + i * C * 16 + j * 16);
      if (p.tail) {
        if (p.tail->bias) v += load(p.tail->bias + n + j * 16);
        if (p.tail->residual) v += load(p.tail->residual + (c - p.c) + j * 16);
        v = activated(v, p.tail->activation);
      }
      store(c + j * 16, v);
    }
  }
}

template <int R, int C>
void multiply_block(const SplitProduct& p, int64_t m, int64_t n, LineFetcher& fetcher) {
  const std::byte *a = p.a + m / p.height * p.a_tile, *b = p.b + n / SplitTiles::kColumns * p.b_tile;
  const int64_t rows = p.rows - m < R * p.height ? p.rows - m : R * p.height;
  // The next block's results: further down, or at the head of the next columns.
  const bool down = m + rows < p.rows;
  const int64_t next_m = down ? m + rows : 0, next_n = down ? n : n + 16 * C;
  const int64_t below = p.rows - next_m < 2 * p.height ? p.rows - next_m : 2 * p.height,
                coming_rows = next_n + 16 * C <= p.columns ? below : 0;
  const auto coming = [&](int64_t i) {
    return (p.c_rows ? p.c_rows[next_m + i] : p.c + (next_m + i) * p.c_row) + next_n;
  };
  const bool in_place = !p.sums || (p.sums == p.c && p.sums_row == p.c_row);
  if (!p.c_rows && !p.tail && in_place && rows == R * p.height) {
    sum_tiles<R, C>(p, a, b, p.c + m * p.c_row + n, p.c_row, p.sums != nullptr, coming, coming_rows, fetcher);
    return;
  }
  // A sum begins with what was there here too: where a row lies in its block must change no bit.
  alignas(64) float sums[2 * 16 * 2 * 16];
  if (p.sums) {
    for (int64_t i = 0; i < rows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < C; ++j) store(sums + (i * C + j) * 16, load(p.sums + (m + i) * p.sums_row + n + j * 16));
  }
  sum_tiles<R, C>(p, a, b, sums, C * 16, p.sums != nullptr, coming, coming_rows, fetcher);
  finish_rows<C>(p, sums, m, rows, n);
}

void multiply(const SplitProduct& p) {
  const int64_t pair = 2 * p.height, width = 2 * SplitTiles::kColumns;
  LineFetcher fetcher(p.ahead, ((p.rows + pair - 1) / pair) * ((p.columns + width - 1) / width) * p.steps);
  for (int64_t n = 0; n < p.columns; n += width)
    for (int64_t m = 0; m < p.rows; m += pair) {
      const bool tall = p.rows - m > p.height, wide = p.columns - n > SplitTiles::kColumns;
      if (tall)
        wide ? multiply_block<2, 2>(p, m, n, fetcher) : multiply_block<2, 1>(p, m, n, fetcher);
      else
        wide ? multiply_block<1, 2>(p, m, n, fetcher) : multiply_block<1, 1>(p, m, n, fetcher);
    }
}

constexpr SplitTiles kTiles{configure, release, pack_rows, pack_columns, pack_depth<true>, pack_depth<false>, multiply};

}  // namespace

const SplitTiles& split_tiles() { return kTiles; }

}  // namespace graft::cpu::amx
