#include "runtime/cuda/device_backend.h"

#include "runtime/cuda/host_kernel.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/ops/convolution.h"

namespace graft::cuda {
namespace {

/// Set before main() starts, or while the plugin is loaded.
TrainingKernelsEntry::Make make_training_kernels = nullptr;

}  // namespace

TrainingKernelsEntry::TrainingKernelsEntry(Make make) { make_training_kernels = make; }

DeviceBackend::DeviceBackend(DeviceParts parts, DType activations, const Backend& host)
    : device_(std::move(parts.device)),
      library_(std::move(parts.library)),
      activations_(activations),
      host_(host),
      step_(*device_, sizeof(StepContext)),
      launcher_(parts.target, parts.multiprocessors, *device_, step_.as<StepContext>()) {
#define GRAFT_REGISTER(name) register_##name(table_, launcher_);
  GRAFT_CUDA_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  if (library_) {
#define GRAFT_REGISTER(name) register_##name(table_, {launcher_, *library_});
    GRAFT_CUDA_LIBRARY_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  }
  if (make_training_kernels) training_kernels_ = make_training_kernels(launcher_);
}

void DeviceBackend::begin(const StepContext& step) const {
  // Not from staging memory, which must stay as it is until it was read: another plan of this backend may begin before
  // this one has.
  device_->upload(step_.data(), &step, sizeof step);
}

// A library does not promise that a convolution's result may lie where its residual lay.
bool DeviceBackend::may_overwrite(const Operator& op, int) const {
  return dynamic_cast<const Convolution*>(&op) == nullptr;
}

std::unique_ptr<Kernel> DeviceBackend::make_kernel(const KernelRequest& request) const {
  if (const auto* factory = table_.find(request.op))
    if (auto kernel = (*factory)(request)) return kernel;
  return on_the_processor(request, *device_, host_);
}

}  // namespace graft::cuda
