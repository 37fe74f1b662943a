#include "runtime/cuda/plugin.h"

#include "runtime/base/error.h"
#include "runtime/cuda/gpu/gpu_backend.h"

namespace graft::cuda {
namespace {

Arithmetic arithmetic_of(std::string_view name) {
  if (name == "fp32") return Arithmetic::fp32;
  if (name == "tf32") return Arithmetic::tf32;
  throw Error("arithmetic \"" + std::string(name) + "\" is not one of fp32, tf32");
}

}  // namespace
}  // namespace graft::cuda

extern "C" graft::Backend* graft_open_cuda(int interface, int device, const char* arithmetic, const graft::Backend* host, std::string* description) {
  using namespace graft;
  if (interface != cuda::kPluginInterface) throw Error("the CUDA plugin and the program were not built together", "build both again");
  auto session = std::make_unique<cuda::GpuSession>(device);
  *description = session->description();
  return new cuda::GpuBackend(std::move(session), cuda::arithmetic_of(arithmetic), *host);
}
