#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/ops/unary.h"

namespace graft::cpu {

/// y = f(x) and dx = dy·f'(v) over contiguous floats, v being x or y as UnaryTraits says. x and y, dy and dx may be the
/// same. Errors stay below 3 units in the last place of the result (4e-7 of the largest one where f crosses zero by
/// cancellation).
struct VectorFunctions {
  using Value = void (*)(int64_t n, const float* x, float alpha, float beta, float* y);
  using Slope = void (*)(int64_t n, const float* dy, const float* v, float alpha, float beta, float* dx);
  static constexpr size_t kKinds = static_cast<size_t>(Unary::Kind::atanh) + 1;
  /// By Kind; null where the function has no vector form.
  Value value[kKinds] = {};
  Slope slope[kKinds] = {};
};

/// For this processor.
const VectorFunctions& vector_functions();

namespace baseline {
const VectorFunctions& functions();
}
namespace avx2 {
const VectorFunctions& functions();
}
namespace avx512 {
const VectorFunctions& functions();
}

}  // namespace graft::cpu
