// Compiled for AVX-512 BF16 alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/avx512_bf16/numbers.h"
#include "runtime/cpu/vector/loops/dot_tile.h"

namespace graft::cpu::avx512_bf16 {
namespace {

struct Bf16Dot {
  using Sum = Lanes;
  static Sum add(Sum sum, Lanes a, Lanes b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  static Lanes value(Sum sum, Lanes scale) { return sum * scale; }
  static constexpr bool kWritesPairs = true;
  /// v += 32 numbers.
  static void add_pair(const std::byte* from, Lanes (&v)[2]) {
    const __m512i numbers = _mm512_loadu_si512(from);
    v[0] += avx512_bf16::widened(_mm512_castsi512_si256(numbers));
    v[1] += avx512_bf16::widened(_mm512_extracti64x4_epi64(numbers, 1));
  }
  static void store_pair(std::byte* to, Lanes low, Lanes high) {
    _mm512_storeu_si512(to, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
  static Lanes widened(__m256i numbers) { return avx512_bf16::widened(numbers); }
  static __m256i narrowed(__m512 v) { return avx512_bf16::narrowed(v); }
};

/// body(first element, mask) for every 16 elements.
template <typename Body>
[[gnu::always_inline]] inline void by_sixteen(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, __mmask16(0xffff));
  if (i < n) body(i, static_cast<__mmask16>((1u << (n - i)) - 1));
}

void narrow(int64_t n, const float* x, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) { store_some(y + i, _mm512_maskz_loadu_ps(mask, x + i), mask); });
}

void widen(int64_t n, const uint16_t* x, float* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) { _mm512_mask_storeu_ps(y + i, mask, load_some(x + i, mask)); });
}

void add(int64_t n, const uint16_t* a, const uint16_t* b, Activation activation, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    store_some(y + i, activated(load_some(a + i, mask) + load_some(b + i, mask), activation), mask);
  });
}

void activate(int64_t n, const uint16_t* x, Activation activation, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) { store_some(y + i, activated(load_some(x + i, mask), activation), mask); });
}

void max_of(int64_t n, const uint16_t* const* x, int64_t count, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    Lanes best = broadcast(-__builtin_inff());
    for (int64_t t = 0; t < count; ++t) {
      const Lanes v = load_some(x[t] + i, mask);
      best = best != best || best > v ? best : v;  // NaN stays
    }
    store_some(y + i, best, mask);
  });
}

void add_scaled(int64_t n, const uint16_t* x, float scale, float* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    const Lanes sum = _mm512_maskz_loadu_ps(mask, y + i);
    _mm512_mask_storeu_ps(y + i, mask, load_some(x + i, mask) * broadcast(scale) + sum);
  });
}

constexpr DotTiles kTiles{multiply<Bf16Dot>};
constexpr Bf16Loops kLoops{narrow, widen, add, activate, max_of, add_scaled};

}  // namespace

const DotTiles& tiles() { return kTiles; }
const Bf16Loops& loops() { return kLoops; }

}  // namespace graft::cpu::avx512_bf16
