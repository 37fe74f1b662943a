#pragma once

#include "runtime/core/kernel_table.h"

namespace graft::cpu {

/// One word for each kernel file: NAME stands for register_NAME, which it defines.
#define GRAFT_KERNEL_FILES(file)                                                                                       \
  file(attention) file(batch_norm) file(binary) file(comparison) file(convolution) file(dropout) file(gather_elements) \
      file(gather_nd) file(gemm) file(grid_sample) file(indexed_scatter) file(lp_normalise) file(lrn) file(movement)   \
          file(normalise) file(pool) file(prelu) file(quantise) file(quantised_product) file(rearrange) file(reduce)   \
              file(resize) file(selection) file(softmax) file(trilu) file(unary)

#define GRAFT_DECLARE(name) void register_##name(KernelTable& table);
GRAFT_KERNEL_FILES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

}  // namespace graft::cpu
