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

/// Launches loops as kernels on a device's compute stream, or on an emulated stream in its place: the loop bodies are
/// the same functions in both, so that what is tested without a GPU is what runs on one. A body is copied to the
/// device: it holds numbers and addresses, no more.
class Launcher {
 public:
  /// The compute stream: of a GPU or emulated; the other one is null.
  struct Target {
    void* cuda_stream = nullptr;  // cudaStream_t
    EmulatedStream* emulated = nullptr;
  };
  /// `device`: whose memory kernels read and write. `step`: where it holds the step's numbers.
  Launcher(const Target& target, int multiprocessors, const Device& device, const StepContext* step)
      : target_(target), multiprocessors_(multiprocessors), device_(device), step_(step) {}

  const Target& target() const { return target_; }
  int multiprocessors() const { return multiprocessors_; }
  const Device& device() const { return device_; }
  /// For bodies to read; set before kernels run.
  const StepContext* step() const { return step_; }

  /// body(i) for 0 ≤ i < n, in any order.
  template <typename Body>
  void each(int64_t n, const Body& body) const {
    if (n <= 0) return;
#ifdef __CUDACC__
    if (target_.cuda_stream) {
      const Geometry g = geometry(n, multiprocessors_);
      run_each<<<g.blocks, g.threads, 0, static_cast<cudaStream_t>(target_.cuda_stream)>>>(n, body);
      return check_launch();
    }
#endif
    target_.emulated->enqueue([n, body] {
      for (int64_t i = 0; i < n; ++i) body(i);
    });
  }

  /// body(i, row) for 0 ≤ i < n, each by a warp.
  template <typename Body>
  void rows(int64_t n, const Body& body) const {
    if (n <= 0) return;
#ifdef __CUDACC__
    if (target_.cuda_stream) {
      const Geometry g = geometry(n * kWarp, multiprocessors_);
      run_rows<<<g.blocks, g.threads, 0, static_cast<cudaStream_t>(target_.cuda_stream)>>>(n, body);
      return check_launch();
    }
#endif
    target_.emulated->enqueue([n, body] {
      for (int64_t i = 0; i < n; ++i) body(i, Row{});
    });
  }

 private:
  Target target_;
  int multiprocessors_;
  const Device& device_;
  const StepContext* step_;
};

}  // namespace graft::cuda
