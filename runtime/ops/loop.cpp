#include "runtime/ops/loop.h"

#include "runtime/core/error.h"

namespace graft {

std::vector<ValueType> Loop::infer(std::span<const ValueType>) const {
  throw Error("is not unrolled", "close its graph's shapes first", ErrorCode::internal);
}

}  // namespace graft
