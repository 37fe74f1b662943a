// Compiled for AVX-512 VNNI alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/loops/dot_tile.h"

namespace graft::cpu::avx512_vnni {
namespace {

struct Int8Dot {
  using Sum = __m512i;
  static Sum add(Sum sum, Lanes a, Lanes b) {
    return _mm512_dpbusd_epi32(sum, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b));
  }
  static Lanes value(Sum sum, Lanes scale) { return _mm512_cvtepi32_ps(sum) * scale; }
  static constexpr bool kWritesPairs = false;
  static __m512 widened(__m256i numbers) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16));
  }
  /// To nearest, ties to even, without the instruction that not every such processor has.
  static __m256i narrowed(__m512 v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_cvtepi32_epi16(
        _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16));
  }
};

constexpr DotTiles kTiles{multiply<Int8Dot>};

}  // namespace

const DotTiles& tiles() { return kTiles; }

}  // namespace graft::cpu::avx512_vnni
