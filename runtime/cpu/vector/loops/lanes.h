#pragma once

// For the files of this folder only, which are compiled once for each instruction set: a register of floats as the
// compiler's vector type, so that one source serves all of them.

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/core/operator.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kTileRows = 14;  // 14 × 2 sums, 2 columns and 1 broadcast in 32 registers
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kTileRows = 6;  // 6 × 2 sums, 2 columns and 1 broadcast in 16 registers
#else
constexpr int kLanes = 4;
constexpr int kTileRows = 6;
#endif
constexpr int kTileVectors = 2;

/// Aligned to a float: loads and stores need no more. A typedef, since clang drops what an alias says of alignment.
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));
static_assert(alignof(Lanes) == alignof(float));

inline Lanes load(const float* p) { return *reinterpret_cast<const Lanes*>(p); }
inline void store(float* p, Lanes v) { *reinterpret_cast<Lanes*>(p) = v; }
/// Past the caches, for results that nobody reads soon: spares reading the line that is overwritten. `p` aligned to the
/// register.
inline void stream(float* p, Lanes v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif defined(__AVX2__)
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#elif defined(__SSE__)
  _mm_stream_ps(p, reinterpret_cast<__m128>(v));
#else
  store(p, v);
#endif
}
/// After the last stream(): other threads then see what was written.
inline void finish_stream() {
#if defined(__SSE__)
  _mm_sfence();
#endif
}
/// Several streams at once run ahead of the processor's own prefetching. The address need not exist.
inline void prefetch_line(const float* p) { __builtin_prefetch(p); }
inline Lanes broadcast(float v) { return v - Lanes{}; }
/// a·b + c, rounded once where the processor can: said outright, since the compiler may contract `a * b + c` in one
/// instance of a template and not in another, and sums must not depend on which of them computes them.
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
#if defined(__AVX512F__)
  return reinterpret_cast<Lanes>(
      _mm512_fmadd_ps(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), reinterpret_cast<__m512>(c)));
#elif defined(__FMA__)
  return reinterpret_cast<Lanes>(
      _mm256_fmadd_ps(reinterpret_cast<__m256>(a), reinterpret_cast<__m256>(b), reinterpret_cast<__m256>(c)));
#else
  return a * b + c;
#endif
}

inline Lanes activated(Lanes v, const Activation& activation) {
  const Lanes zero = {};
  switch (activation.kind) {
    case Activation::Kind::none:
      return v;
    case Activation::Kind::relu:
      return v < zero ? zero : v;  // NaN stays
    case Activation::Kind::leaky_relu:
      return v > zero ? v : v * activation.alpha;
    case Activation::Kind::clip: {
      const Lanes low = broadcast(activation.alpha), high = broadcast(activation.beta);
      const Lanes raised = v < low ? low : v;
      return raised > high ? high : raised;
    }
  }
  return v;
}

}  // namespace
}  // namespace graft::cpu::GRAFT_ISA
