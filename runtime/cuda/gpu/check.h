#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

namespace graft::cuda {

/// Throw Error when a library's call failed; `doing` says what was being done.
void check(cudaError_t status, const char* doing);
void check(cudnnStatus_t status, const char* doing);
void check(cublasStatus_t status, const char* doing);

}  // namespace graft::cuda
