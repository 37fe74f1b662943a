#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include "runtime/cuda/choices.h"

namespace graft::cuda {

/// How float32 is multiplied.
enum class Arithmetic { fp32, tf32 };

/// A GPU's libraries and what is known of them. Not owned by those who use it.
struct Libraries {
  cudnnHandle_t cudnn = nullptr;
  cublasLtHandle_t cublas = nullptr;
  void* stream = nullptr;  // cudaStream_t
  Arithmetic arithmetic = Arithmetic::tf32;
  Choices* choices = nullptr;
};

}  // namespace graft::cuda
