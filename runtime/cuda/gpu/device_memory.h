#pragma once

#include <cuda_runtime_api.h>

#include "runtime/backend.h"

namespace graft::cuda {

/// A GPU's memory. Transfers go through one stream, so that they take their turn with its kernels.
class GpuMemory final : public DeviceMemory {
 public:
  explicit GpuMemory(cudaStream_t stream) : stream_(stream) {}
  void* allocate(size_t bytes) const override;
  void release(void* address) const noexcept override;
  void* allocate_host(size_t bytes) const override;
  void release_host(void* address) const noexcept override;
  void upload(void* device, const void* host, size_t bytes) const override;
  void download(void* host, const void* device, size_t bytes) const override;
  void wait() const override;
  size_t available() const override;

 private:
  cudaStream_t stream_;
};

}  // namespace graft::cuda
