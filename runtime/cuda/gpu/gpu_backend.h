#pragma once

#include <cuda_runtime_api.h>

#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/gpu/libraries.h"

namespace graft::cuda {

/// What a GPU runs with from its opening to its closing: which one it is, and the libraries on its compute stream.
class GpuSession {
 public:
  /// Sets the GPU for the calling thread. Throws Error where there is no such GPU, or it cannot serve.
  explicit GpuSession(int device);
  ~GpuSession();
  GpuSession(const GpuSession&) = delete;
  GpuSession& operator=(const GpuSession&) = delete;
  int multiprocessors() const { return multiprocessors_; }
  int device() const { return device_; }
  /// Lets the libraries work on the device's compute stream. `device` outlives the result.
  Libraries libraries(const GpuDevice& device, Arithmetic arithmetic);
  /// "NVIDIA H200, compute capability 9.0, driver 13.0, CUDA 13.0, cuDNN 9.19.0, cuBLASLt 13.1.0".
  const std::string& description() const { return description_; }

 private:
  int device_ = 0, multiprocessors_ = 0;
  cudnnHandle_t cudnn_ = nullptr;
  cublasLtHandle_t cublas_ = nullptr;
  std::string description_;
  std::unique_ptr<Choices> choices_;
};

class GpuBackend final : public DeviceBackend {
 public:
  GpuBackend(std::unique_ptr<GpuSession> session, Arithmetic arithmetic, DType activations, const Backend& host);
  std::string_view name() const override { return "cuda"; }
  /// Also makes the GPU the calling thread's own.
  void use_threads(int threads) const override;
  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) const override;

 private:
  std::unique_ptr<GpuSession> session_;
};

}  // namespace graft::cuda
