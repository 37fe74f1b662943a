#pragma once

#include "runtime/cuda/gpu/libraries.h"
#include "runtime/cuda/queue.h"
#include "runtime/kernel_table.h"

namespace graft::cuda {

/// What kernels from NVIDIA's libraries are made with. Outlives them.
struct LibraryContext {
  const Queue& queue;
  const DeviceMemory& memory;
  Libraries libraries;
};

void register_convolution(KernelTable& table, const LibraryContext& context);
void register_gemm(KernelTable& table, const LibraryContext& context);

}  // namespace graft::cuda
