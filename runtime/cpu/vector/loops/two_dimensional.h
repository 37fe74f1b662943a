#pragma once

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

/// Applies a line transform from `in` to `out` points to the columns, then to the rows, of a tile.
template <int in, int out, void (*line)(const Lanes*, Lanes*), typename Load, typename Store>
inline void two_dimensional(const Load& get, const Store& put) {
  Lanes middle[out][in];
#pragma GCC unroll 6
  for (int j = 0; j < in; ++j) {
    Lanes d[in], o[out];
#pragma GCC unroll 6
    for (int i = 0; i < in; ++i) d[i] = get(i, j);
    line(d, o);
#pragma GCC unroll 6
    for (int i = 0; i < out; ++i) middle[i][j] = o[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < out; ++i) {
    Lanes o[out];
    line(middle[i], o);
#pragma GCC unroll 6
    for (int j = 0; j < out; ++j) put(i, j, o[j]);
  }
}

}  // namespace
}  // namespace graft::cpu::GRAFT_ISA
