#include "runtime/cuda/plugin.h"

#include "runtime/core/error.h"
#include "runtime/cuda/gpu/gpu_backend.h"

namespace graft::cuda {
namespace {

struct Precision {
  Arithmetic arithmetic;
  DType activations;
};

Precision precision_of(std::string_view name) {
  if (name == "fp32") return {Arithmetic::fp32, DType::f32};
  if (name == "tf32") return {Arithmetic::tf32, DType::f32};
  if (name == "bf16") return {Arithmetic::tf32, DType::bf16};
  if (name == "fp16") return {Arithmetic::tf32, DType::f16};
  throw Error("precision \"" + std::string(name) + "\" is not one of fp32, tf32, bf16, fp16");
}

}  // namespace
}  // namespace graft::cuda

extern "C" graft::Backend* graft_open_cuda(int interface, int device, const char* precision, const graft::Backend* host,
                                           std::string* description) {
  using namespace graft;
  if (interface != cuda::kPluginInterface)
    throw Error("the CUDA plugin and the program were not built together", "build both again");
  auto session = std::make_unique<cuda::GpuSession>(device);
  *description = session->description();
  const cuda::Precision chosen = cuda::precision_of(precision);
  return new cuda::GpuBackend(std::move(session), chosen.arithmetic, chosen.activations, *host);
}
