#pragma once

#include "runtime/core/host_device.h"

namespace graft {

/// The threads that share one row of a matrix: each takes the columns lane(), lane() + size(), … and what they found
/// comes together in sum() and max(), whose result all get. One thread on the processor, a warp on a GPU.
struct Row {
#ifdef __CUDA_ARCH__
  static constexpr int kLanes = 32;
  __device__ int lane() const { return static_cast<int>(threadIdx.x % kLanes); }
  __device__ int size() const { return kLanes; }
  template <typename T>
  __device__ T sum(T v) const {
    for (int step = kLanes / 2; step > 0; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
  }
  template <typename T>
  __device__ T max(T v) const {
    for (int step = kLanes / 2; step > 0; step /= 2) {
      const T other = __shfl_xor_sync(0xffffffffu, v, step);
      v = other > v ? other : v;
    }
    return v;
  }
#else
  int lane() const { return 0; }
  int size() const { return 1; }
  template <typename T>
  T sum(T v) const {
    return v;
  }
  template <typename T>
  T max(T v) const {
    return v;
  }
#endif
};

}  // namespace graft
