#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include "runtime/cuda/choices.h"
#include "runtime/cuda/gpu/gpu_device.h"

namespace graft::cuda {

/// How float32 is multiplied.
enum class Arithmetic { fp32, tf32 };

/// A GPU's libraries and what is known of them. Not owned by those who use it.
struct Libraries {
  const GpuDevice* device = nullptr;
  cudnnHandle_t cudnn = nullptr;
  cublasLtHandle_t cublas = nullptr;
  Arithmetic arithmetic = Arithmetic::tf32;
  Choices* choices = nullptr;
  cudaStream_t stream() const { return device->compute_stream().get(); }
};

}  // namespace graft::cuda
