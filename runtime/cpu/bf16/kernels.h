#pragma once

#include "runtime/core/kernel_table.h"

namespace graft::cpu::bf16 {

/// One word for each file of kernels that compute on bfloat16 themselves: NAME stands for register_NAME. Their
/// factories return null for operands that they do not serve; those, and operators that have no such kernel, are
/// computed by way of float32 (through_float.h).
#define GRAFT_BF16_KERNEL_FILES(file)                                                                         \
  file(batch_norm) file(convolution) file(data_gradient) file(dense) file(elementwise) file(moves) file(pool) \
      file(rows) file(weight_gradient)

#define GRAFT_DECLARE(name) void register_##name(KernelTable& table);
GRAFT_BF16_KERNEL_FILES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

}  // namespace graft::cpu::bf16
