#pragma once

#include <cuda_runtime_api.h>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// A GPU's memory. Transfers go through one stream, so that they take their turn with its kernels.
class GpuMemory final : public DeviceMemory {
 public:
  explicit GpuMemory(cudaStream_t stream);
  ~GpuMemory() override;
  void* allocate(size_t bytes) const override;
  void release(void* address) const noexcept override;
  void* allocate_host(size_t bytes) const override;
  void release_host(void* address) const noexcept override;
  void upload(void* device, const void* host, size_t bytes) const override;
  void download(void* host, const void* device, size_t bytes) const override;
  void send_beside(void* room, const void* host, size_t bytes) const override;
  void take(void* device, const void* room, size_t bytes) const override;
  void wait() const override;
  void mark() const override;
  void wait_for_mark() const override;
  size_t available() const override;

 private:
  cudaStream_t stream_, beside_ = nullptr;
  cudaEvent_t sent_ = nullptr, taken_ = nullptr, mark_ = nullptr;
};

}  // namespace graft::cuda
