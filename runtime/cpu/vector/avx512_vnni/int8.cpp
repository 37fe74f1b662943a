// Compiled for AVX-512 VNNI alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/loops/dot_tile.h"

namespace graft::cpu::avx512_vnni {
namespace {

template <DType type>
inline __m128i steps(__m512 v) {
  const __m512i whole = _mm512_cvtps_epi32(v);
  return type == DType::i8 ? _mm512_cvtsepi32_epi8(whole) : _mm512_cvtusepi32_epi8(whole);
}

template <DType type>
inline __m512 widened(__m128i bytes) {
  return _mm512_cvtepi32_ps(type == DType::u8 ? _mm512_cvtepu8_epi32(bytes) : _mm512_cvtepi8_epi32(bytes));
}

/// What sums of 16 columns become.
struct Finish {
  __m512i correction;
  __m512 scale, bias, floor, ceiling, low, high, rounded_scale, residual_scale, offset;

  Finish(const Int8Tail& tail, int64_t column, __mmask16 mask)
      : correction(_mm512_maskz_loadu_epi32(mask, tail.correction + column)),
        scale(_mm512_maskz_loadu_ps(mask, tail.scale + column)),
        bias(_mm512_maskz_loadu_ps(mask, tail.bias + column)),
        floor(_mm512_set1_ps(tail.floor)),
        ceiling(_mm512_set1_ps(tail.ceiling)),
        low(_mm512_set1_ps(tail.round_low)),
        high(_mm512_set1_ps(tail.round_high)),
        rounded_scale(_mm512_set1_ps(tail.rounded_scale)),
        residual_scale(_mm512_set1_ps(tail.residual_scale)),
        offset(_mm512_set1_ps(tail.offset)) {}

  __m512 product(__m512i sum) const {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(sum, correction)), scale, bias);
  }
  __m512 held(__m512 v) const { return _mm512_min_ps(_mm512_max_ps(v, floor), ceiling); }
  template <DType type, bool has_residual>
  __m512 operator()(__m512i sum, __m128i residual) const {
    __m512 v = product(sum);
    if constexpr (has_residual) {
      constexpr int kToNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
      v = _mm512_min_ps(_mm512_max_ps(_mm512_roundscale_ps(v, kToNearest), low), high);
      v = _mm512_fmadd_ps(v, rounded_scale, _mm512_fmadd_ps(widened<type>(residual), residual_scale, offset));
    }
    return held(v);
  }
};

/// Rows of bytes. The floor of unsigned ones is not below 0.
template <DType type, bool has_residual>
void finish_rows(const Tile<Int8Tail>& t, const __m512i* sums, int64_t rows, int64_t vectors) {
  const Int8Tail tail = *t.tail;
  int64_t at = t.c_at;
  if (t.columns == DotShape::kColumns) {
    const Finish low(tail, t.column, 0xffff), high(tail, t.column + kWords, 0xffff);
    for (int64_t m = 0; m < rows; ++m, at += t.c_row) {
      __m256i r{};
      if constexpr (has_residual) r = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tail.residual + at));
      const __m128i a = steps<type>(low.operator()<type, has_residual>(sums[2 * m], _mm256_castsi256_si128(r)));
      const __m128i b =
          steps<type>(high.operator()<type, has_residual>(sums[2 * m + 1], _mm256_extracti128_si256(r, 1)));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(t.c + at), _mm256_set_m128i(b, a));
    }
    return;
  }
  for (int64_t j = 0; j < vectors; ++j) {
    const __mmask16 mask = t.mask(j);
    const Finish finish(tail, t.column + j * kWords, mask);
    at = t.c_at + j * kWords;
    for (int64_t m = 0; m < rows; ++m, at += t.c_row) {
      __m128i r{};
      if constexpr (has_residual) r = _mm_maskz_loadu_epi8(mask, tail.residual + at);
      _mm_mask_storeu_epi8(t.c + at, mask,
                           steps<type>(finish.operator()<type, has_residual>(sums[m * vectors + j], r)));
    }
  }
}

void finish_floats(const Tile<Int8Tail>& t, const __m512i* sums, int64_t rows, int64_t vectors) {
  const Int8Tail tail = *t.tail;
  for (int64_t j = 0; j < vectors; ++j) {
    const __mmask16 mask = t.mask(j);
    const Finish finish(tail, t.column + j * kWords, mask);
    auto* c = reinterpret_cast<float*>(t.c) + t.c_at + j * kWords;
    for (int64_t m = 0; m < rows; ++m, c += t.c_row)
      _mm512_mask_storeu_ps(c, mask, finish.held(finish.product(sums[m * vectors + j])));
  }
}

struct Int8Dot {
  using Tail = Int8Tail;
  using Sum = __m512i;
  static constexpr bool kWritesSums = false;
  static bool writes_sums(const Tail&) { return false; }
  static Sum add(Sum sum, Lanes a, Lanes b) {
    return _mm512_dpbusd_epi32(sum, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b));
  }
  static void finish(const Tile<Tail>& t, const Sum* sums, int64_t rows, int64_t vectors) {
    switch (t.tail->type) {
      case DType::u8:
        return t.tail->residual ? finish_rows<DType::u8, true>(t, sums, rows, vectors)
                                : finish_rows<DType::u8, false>(t, sums, rows, vectors);
      case DType::i8:
        return t.tail->residual ? finish_rows<DType::i8, true>(t, sums, rows, vectors)
                                : finish_rows<DType::i8, false>(t, sums, rows, vectors);
      default:
        return finish_floats(t, sums, rows, vectors);
    }
  }
};

constexpr Int8Tiles kTiles{multiply<Int8Dot>};

}  // namespace

const Int8Tiles& tiles() { return kTiles; }

}  // namespace graft::cpu::avx512_vnni
