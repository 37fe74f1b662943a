#include "runtime/cuda/gpu/check.h"

#include <string>

#include "runtime/core/error.h"
#include "runtime/cuda/launcher.h"

namespace graft::cuda {
namespace {

[[noreturn]] void fail(const char* library, const char* doing, const char* reason) {
  throw Error(std::string(library) + ", " + doing + ": " + reason, "use " + mention("device") + " cpu",
              ErrorCode::internal);
}

}  // namespace

void check(cudaError_t status, const char* doing) {
  if (status != cudaSuccess) fail("CUDA", doing, cudaGetErrorString(status));
}
void check(cudnnStatus_t status, const char* doing) {
  if (status != CUDNN_STATUS_SUCCESS) fail("cuDNN", doing, cudnnGetErrorString(status));
}
void check(cublasStatus_t status, const char* doing) {
  if (status != CUBLAS_STATUS_SUCCESS) fail("cuBLASLt", doing, cublasLtGetStatusString(status));
}

void check_launch() { check(cudaGetLastError(), "starting a kernel"); }

}  // namespace graft::cuda
