// Compiled for AVX-512 BF16 alone; see loops/loops.cpp for what such a file may include.
#include <utility>

#include "runtime/cpu/vector/avx512_bf16/numbers.h"
#include "runtime/cpu/vector/avx512_bf16/parts.h"
#include "runtime/cpu/vector/loops/row_addresses.h"

namespace graft::cpu::avx512_bf16 {
namespace {

constexpr int kRows = Bf16PixelProduct::kRows;
constexpr int64_t kTileWords = Bf16PixelProduct::kTileWords, kColumns = Bf16PixelProduct::kColumns;

/// Numbers of two pixels as words, those of `mask`.
inline __m512i words_of(const uint16_t* even, const uint16_t* odd, __mmask16 mask) {
  const __m512i low = even ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, even)) : _mm512_setzero_si512();
  const __m512i high = odd ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, odd)) : _mm512_setzero_si512();
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

inline __mmask16 mask_of(int64_t n) { return n >= 16 ? __mmask16(0xffff) : static_cast<__mmask16>((1u << n) - 1); }

void pack_rows(int64_t n, const uint16_t* even, const uint16_t* odd, uint32_t* to, int64_t tile) {
  for (int64_t i = 0; i < n; i += kRows, to += tile) {
    const __mmask16 mask = mask_of(n - i < kRows ? n - i : kRows);
    _mm512_storeu_si512(to, words_of(even ? even + i : nullptr, odd ? odd + i : nullptr, mask));
  }
}

void pack_columns(int64_t n, const uint16_t* even, const uint16_t* odd, uint32_t* to) {
  _mm512_storeu_si512(to, words_of(even, odd, mask_of(n)));
  _mm512_storeu_si512(to + 16, n > 16 ? words_of(even ? even + 16 : nullptr, odd ? odd + 16 : nullptr, mask_of(n - 16))
                                      : _mm512_setzero_si512());
}

inline Lanes multiplied(Lanes sum, Lanes a, Lanes b) {
  return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
}

template <int rows>
void multiply_tile(const Bf16PixelProduct& p, const uint32_t* a_words, float* c) {
  Lanes sums[rows][2];
#pragma GCC unroll 14
  for (int m = 0; m < rows; ++m) sums[m][0] = sums[m][1] = Lanes{};
  const auto *a = reinterpret_cast<const float*>(a_words), *b = reinterpret_cast<const float*>(p.b);
  const auto step = [&]<int... m>(std::integer_sequence<int, m...>) __attribute__((always_inline)) {
    const Lanes low = load(b), high = load(b + 16);
    const auto add_row = [&]<int r>(std::integral_constant<int, r>) __attribute__((always_inline)) {
      const Lanes factor = broadcast(a[r]);
      sums[r][0] = multiplied(sums[r][0], factor, low);
      sums[r][1] = multiplied(sums[r][1], factor, high);
    };
    (add_row(std::integral_constant<int, m>{}), ...);
    a += kTileWords, b += kColumns;
    forget_origin(a);
    forget_origin(b);
  };
  for (int64_t k = 0; k < p.words; ++k) step(std::make_integer_sequence<int, rows>{});
  const __mmask16 low = mask_of(p.columns), high = mask_of(p.columns > 16 ? p.columns - 16 : 0);
#pragma GCC unroll 14
  for (int m = 0; m < rows; ++m, c += p.c_row) {
    if (p.accumulate) {
      sums[m][0] += _mm512_maskz_loadu_ps(low, c);
      sums[m][1] += _mm512_maskz_loadu_ps(high, c + 16);
    }
    _mm512_mask_storeu_ps(c, low, sums[m][0]);
    _mm512_mask_storeu_ps(c + 16, high, sums[m][1]);
  }
}

using TileFunction = void (*)(const Bf16PixelProduct&, const uint32_t*, float*);

struct Table {
  TileFunction function[kRows + 1] = {};
};
template <int rows = kRows>
constexpr void fill(Table& table) {
  if constexpr (rows > 0) {
    table.function[rows] = multiply_tile<rows>;
    fill<rows - 1>(table);
  }
}
constexpr Table make_table() {
  Table table;
  fill(table);
  return table;
}

void multiply(const Bf16PixelProduct& p) {
  static constexpr Table table = make_table();
  const uint32_t* a = p.a;
  for (int64_t m = 0; m < p.rows; m += kRows, a += p.words * kTileWords)
    table.function[p.rows - m < kRows ? p.rows - m : kRows](p, a, p.c + m * p.c_row);
}

constexpr Bf16PixelTiles kTiles{pack_rows, pack_columns, multiply};

}  // namespace

const Bf16PixelTiles& pixel_tiles() { return kTiles; }

}  // namespace graft::cpu::avx512_bf16
