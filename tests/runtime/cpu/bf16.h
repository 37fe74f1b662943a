#pragma once

#include <gtest/gtest.h>

#include "runtime/cpu/cpu_backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {

/// Numbers that bfloat16 holds exactly.
inline Tensor rounded(const Shape& shape, uint64_t seed) {
  return cast(cast(random_tensor(shape, seed), DType::bf16), DType::f32);
}

class NeedsBf16 : public testing::Test {
 protected:
  void SetUp() override {
    if (!bf16_cpu_backend()) GTEST_SKIP() << "this processor does not multiply bfloat16 numbers";
  }
};

}  // namespace graft
