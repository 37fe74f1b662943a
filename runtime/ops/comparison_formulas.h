#pragma once

#include "runtime/core/host_device.h"
#include "runtime/ops/comparison.h"

namespace graft {

/// The answer of a Comparison, for processors and devices.
template <typename T>
GRAFT_DEVICE bool holds(Comparison::Kind kind, T a, T b) {
  using enum Comparison::Kind;
  switch (kind) {
    case equal:
      return a == b;
    case greater:
      return a > b;
    case greater_or_equal:
      return a >= b;
    case less:
      return a < b;
    case less_or_equal:
      return a <= b;
    case logical_and:
      return a && b;
    case logical_or:
      return a || b;
    case logical_xor:
      return static_cast<bool>(a) != static_cast<bool>(b);
  }
  return false;
}

}  // namespace graft
