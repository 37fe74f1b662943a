#pragma once

#include <cstdint>

#include "runtime/core/backend.h"
#include "runtime/core/host_device.h"
#include "runtime/core/row.h"
#include "runtime/cuda/emulated_stream.h"
#include "runtime/cuda/geometry.h"

#ifdef __CUDACC__
#include <cuda_runtime.h>
#endif

namespace graft::cuda {

#ifdef __CUDACC__
template <typename Body>
__global__ void run_each(int64_t n, const Body body) {
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += static_cast<int64_t>(gridDim.x) * blockDim.x)
    body(i);
}

template <typename Body>
__global__ void run_rows(int64_t n, const Body body) {
  const int64_t warps = static_cast<int64_t>(gridDim.x) * blockDim.x / kWarp;
  for (int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarp; i < n; i += warps)
    body(i, Row{});
}
#endif

/// Reports a launch that failed. Defined where CUDA is.
void check_launch();

/// The stream on which a device works, or a tape in its place ("emulated"): loops are the same functions in both, so
/// that what is tested without a GPU is what runs on one. A body is copied to the device: it holds numbers and
/// addresses, no more.
class Stream {
 public:
  /// Where work goes: a cudaStream_t, or a emulated. The other is null.
  struct Way {
    void* stream;
    EmulatedStream* emulated;
  };
  /// `memory`: what kernels read and write. `step`: where it holds the step's numbers.
  Stream(Way way, int multiprocessors, const DeviceMemory& memory, const StepContext* step)
      : stream_(way.stream), emulated_(way.emulated), multiprocessors_(multiprocessors), memory_(memory), step_(step) {}

  void* stream() const { return stream_; }
  int multiprocessors() const { return multiprocessors_; }
  const DeviceMemory& memory() const { return memory_; }
  /// For bodies to read; set before kernels run.
  const StepContext* step() const { return step_; }

  /// body(i) for 0 ≤ i < n, in any order.
  template <typename Body>
  void each(int64_t n, const Body& body) const {
    if (n <= 0) return;
#ifdef __CUDACC__
    if (stream_) {
      const Geometry g = geometry(n, multiprocessors_);
      run_each<<<g.blocks, g.threads, 0, static_cast<cudaStream_t>(stream_)>>>(n, body);
      return check_launch();
    }
#endif
    emulated_->take([n, body] {
      for (int64_t i = 0; i < n; ++i) body(i);
    });
  }

  /// body(i, row) for 0 ≤ i < n, each by a warp.
  template <typename Body>
  void rows(int64_t n, const Body& body) const {
    if (n <= 0) return;
#ifdef __CUDACC__
    if (stream_) {
      const Geometry g = geometry(n * kWarp, multiprocessors_);
      run_rows<<<g.blocks, g.threads, 0, static_cast<cudaStream_t>(stream_)>>>(n, body);
      return check_launch();
    }
#endif
    emulated_->take([n, body] {
      for (int64_t i = 0; i < n; ++i) body(i, Row{});
    });
  }

 private:
  void* stream_;
  EmulatedStream* emulated_;
  int multiprocessors_;
  const DeviceMemory& memory_;
  const StepContext* step_;
};

}  // namespace graft::cuda
