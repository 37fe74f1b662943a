#pragma once

#include "runtime/core/kernel_table.h"
#include "runtime/cuda/launcher.h"
#include "runtime/cuda/library.h"

namespace graft::cuda {

/// One word for each file in kernels/: NAME stands for register_NAME, which it defines. A factory returns null for what
/// it does not serve; the processor does that.
#define GRAFT_CUDA_KERNEL_FILES(file)                                                                                \
  file(batch_norm) file(binary) file(comparison) file(dropout) file(gather) file(lrn) file(movement) file(normalise) \
      file(pool) file(prelu) file(quantise) file(rearrange) file(reduce) file(resize) file(selection) file(softmax)  \
          file(unary)

/// `launcher` outlives all kernels.
#define GRAFT_DECLARE(name) void register_##name(KernelTable& table, const Launcher& launcher);
GRAFT_CUDA_KERNEL_FILES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

/// The same for kernels around what a library computes.
#define GRAFT_CUDA_LIBRARY_KERNEL_FILES(file) file(convolution) file(gemm)

/// Both outlive all kernels.
struct LibraryContext {
  const Launcher& launcher;
  const Library& library;
};

#define GRAFT_DECLARE(name) void register_##name(KernelTable& table, const LibraryContext& context);
GRAFT_CUDA_LIBRARY_KERNEL_FILES(GRAFT_DECLARE)
#undef GRAFT_DECLARE

}  // namespace graft::cuda
