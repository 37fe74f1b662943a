#pragma once

#include <cuda_runtime_api.h>

#include "runtime/cuda/gpu/check.h"

namespace graft::cuda {

/// Times what is queued between two calls, on the GPU's own clock.
class Timer {
 public:
  explicit Timer(cudaStream_t stream) : stream_(stream) {
    check(cudaEventCreate(&before_), "making an event");
    const cudaError_t status = cudaEventCreate(&after_);
    if (status != cudaSuccess) (void)cudaEventDestroy(before_);
    check(status, "making an event");
  }
  ~Timer() {
    (void)cudaEventDestroy(after_);
    (void)cudaEventDestroy(before_);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void start() { check(cudaEventRecord(before_, stream_), "measuring"); }
  /// Waits; milliseconds since start().
  float stop() {
    check(cudaEventRecord(after_, stream_), "measuring");
    check(cudaEventSynchronize(after_), "measuring");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, before_, after_), "measuring");
    return milliseconds;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t before_ = nullptr, after_ = nullptr;
};

}  // namespace graft::cuda
