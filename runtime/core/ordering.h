#pragma once

#include "runtime/core/host_device.h"

namespace graft {

// How selections order values on every backend: NaN is larger than any number, as NumPy and PyTorch sort it, and where
// one extreme is looked for it is the largest and the smallest.

/// Whether a is larger than b.
template <typename T>
GRAFT_DEVICE bool is_larger(T a, T b) {
  return a > b || (a != a && b == b);
}

/// Whether `value`, which comes behind `best`, is the extreme of the two; `last`: the last among equals counts.
template <typename T>
GRAFT_DEVICE bool replaces(T value, T best, bool largest, bool last) {
  if (best != best) return last && value != value;
  return value != value || (largest ? value > best : value < best) || (last && value == best);
}

}  // namespace graft
