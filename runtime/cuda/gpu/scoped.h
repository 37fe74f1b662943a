#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>

#include "runtime/cuda/gpu/check.h"

namespace graft::cuda {

/// Device memory for as long as it is looked at.
class ScopedMemory {
 public:
  explicit ScopedMemory(size_t bytes) {
    check(cudaMalloc(&address_, std::max<size_t>(bytes, 256)), "taking memory for a measurement");
  }
  ~ScopedMemory() { (void)cudaFree(address_); }
  ScopedMemory(const ScopedMemory&) = delete;
  ScopedMemory& operator=(const ScopedMemory&) = delete;
  void* get() const { return address_; }

 private:
  void* address_ = nullptr;
};

class ScopedEvent {
 public:
  ScopedEvent() { check(cudaEventCreate(&event_), "making an event"); }
  ~ScopedEvent() { (void)cudaEventDestroy(event_); }
  ScopedEvent(const ScopedEvent&) = delete;
  ScopedEvent& operator=(const ScopedEvent&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace graft::cuda
