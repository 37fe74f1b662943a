#pragma once

// For the files of this folder only; see lanes.h.

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

using Integers = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));

constexpr float kLog2E = 1.44269504f;

inline Lanes select(Integers mask, Lanes yes, Lanes no) { return mask ? yes : no; }
inline Lanes smaller(Lanes a, float b) { return select(a > broadcast(b), broadcast(b), a); }
inline Lanes larger(Lanes a, float b) { return select(a < broadcast(b), broadcast(b), a); }

/// eˣ = 2ⁿ·(1 + m), n whole, |r| ≤ ln 2 / 2 [Cephes, expf].
struct Exponential {
  Lanes m;
  Integers n;

  explicit Exponential(Lanes x) {
    x = smaller(larger(x, -104.0f), 104.0f);
    constexpr float kRound = 12582912.0f;  // 1.5·2²³: adding it leaves no room for a fraction
    const Lanes whole = (x * kLog2E + kRound) - kRound;
    const Lanes r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
    Lanes p = broadcast(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    m = p * r * r + r;
    n = __builtin_convertvector(select(x == x, whole, Lanes{}), Integers);
  }
  /// In two factors, so that results down to the smallest subnormal and up to infinity come out.
  Lanes power() const {
    const Integers half = n >> 1;
    return (m + 1.0f) * reinterpret_cast<Lanes>((half + 127) << 23) * reinterpret_cast<Lanes>((n - half + 127) << 23);
  }
};

inline Lanes exp(Lanes x) { return Exponential(x).power(); }

}  // namespace
}  // namespace graft::cpu::GRAFT_ISA
