#pragma once

#include "runtime/cuda/indexing.h"

namespace graft::cuda {

/// Elements from one arrangement of strides to another: places are (written, read).
template <typename T>
struct MoveOne {
  const T* from;
  T* to;
  Indexer<2> places;
  GRAFT_DEVICE void operator()(int64_t i) const {
    const auto p = places(i);
    to[p.at[0]] = from[p.at[1]];
  }
};

}  // namespace graft::cuda
