#include "runtime/cuda/plugin.h"

#include "runtime/core/error.h"
#include "runtime/cuda/build_identity.h"
#include "runtime/cuda/gpu/gpu_backend.h"
#include "runtime/cuda/plugin_entry.h"

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

const char* graft_cuda_build_identity() noexcept { return graft::cuda::kBuildIdentity; }

graft::Backend* graft_cuda_open(int device, const char* precision, const graft::Backend* host, char* description,
                                size_t description_bytes, char* message, size_t message_bytes) noexcept {
  using namespace graft::cuda;
  return open_backend(
      [&]() -> std::unique_ptr<graft::Backend> {
        const Precision chosen = precision_of(precision);
        auto session = std::make_unique<GpuSession>(device);
        write_text(session->description(), description, description_bytes);
        return std::make_unique<GpuBackend>(std::move(session), chosen.arithmetic, chosen.activations, *host);
      },
      message, message_bytes);
}

void graft_cuda_close(graft::Backend* backend) noexcept { delete backend; }
