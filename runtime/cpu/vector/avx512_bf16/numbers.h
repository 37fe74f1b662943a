#pragma once

#include <immintrin.h>

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::avx512_bf16 {
namespace {

inline Lanes widened(__m256i bf16) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bf16), 16)); }
inline __m256i narrowed(Lanes v) { return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)); }
inline Lanes load_some(const uint16_t* p, __mmask16 mask) { return widened(_mm256_maskz_loadu_epi16(mask, p)); }
inline void store_some(uint16_t* p, Lanes v, __mmask16 mask) { _mm256_mask_storeu_epi16(p, mask, narrowed(v)); }
inline Lanes load_numbers(const uint16_t* p) {
  return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void store_numbers(uint16_t* p, Lanes v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed(v)); }

}  // namespace
}  // namespace graft::cpu::avx512_bf16
