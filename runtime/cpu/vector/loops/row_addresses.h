#pragma once

#include <cstdint>

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

/// Hides a pointer's origin, so that the compiler steps it instead of keeping an address for each row in a register it
/// needs.
template <typename T>
inline void forget_origin(T*& p) {
  asm volatile("" : "+r"(p));
}

/// Rows of A in reach of their addressing modes: three bases five rows apart, one row and three rows in bytes.
struct RowAddresses {
  const float* base[3];
  int64_t row, row3;
};

/// The four bytes A(m, u) in every lane. Left to itself the compiler keeps sums of strides and offsets in more
/// registers than there are, and what it spills and adds takes the multipliers' ports.
template <int m, int u>
inline Lanes row_factor(const RowAddresses& a) {
  const float* const base = a.base[m / 5];
#if defined(__AVX__)
  Lanes v;
  constexpr int kOffset = u * static_cast<int>(sizeof(float));
  if constexpr (m % 5 == 0) {
    asm("vbroadcastss %c2(%1), %0" : "=v"(v) : "r"(base), "i"(kOffset), "m"(*base));
  } else {
    constexpr int kScale = m % 5 == 3 ? 1 : m % 5;
    asm("vbroadcastss %c2(%1,%3,%c4), %0"
        : "=v"(v)
        : "r"(base), "i"(kOffset), "r"(m % 5 == 3 ? a.row3 : a.row), "i"(kScale), "m"(*base));
  }
  return v;
#else
  const int64_t distance = m % 5 == 3 ? a.row3 : m % 5 * a.row;
  return broadcast(reinterpret_cast<const float*>(reinterpret_cast<const char*>(base) + distance)[u]);
#endif
}

}  // namespace
}  // namespace graft::cpu::GRAFT_ISA
