#pragma once

#include <cuda_runtime_api.h>

#include "runtime/core/device.h"

namespace graft::cuda {

/// A stream of the GPU that the calling thread has set.
class GpuStream final : public Stream {
 public:
  GpuStream();
  ~GpuStream() override;
  GpuStream(const GpuStream&) = delete;
  GpuStream& operator=(const GpuStream&) = delete;
  void wait(const Event& event) override;
  void synchronize() override;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// A GPU's memory and its two streams. Made after the calling thread has set the GPU.
class GpuDevice final : public Device {
 public:
  GpuStream& compute_stream() const override { return *compute_; }
  GpuStream& copy_stream() const override { return *copies_; }
  std::unique_ptr<Event> make_event() const override;
  void copy_async(void* to, const void* from, size_t bytes, CopyDirection direction, Stream& stream) const override;
  size_t available() const override;

 private:
  void* allocate(MemoryKind kind, size_t bytes) const override;
  void release(MemoryKind kind, void* address) const noexcept override;

  std::unique_ptr<GpuStream> compute_ = std::make_unique<GpuStream>(), copies_ = std::make_unique<GpuStream>();
};

}  // namespace graft::cuda
