#include "runtime/cuda/device_backend.h"

#include "runtime/cuda/host_kernel.h"
#include "runtime/cuda/kernel_files.h"
#include "runtime/ops/convolution.h"

namespace graft::cuda {
namespace {

/// Filled before main() starts, or while the plugin is loaded.
std::map<std::string, ExtensionEntry::Make>& entries() {
  static std::map<std::string, ExtensionEntry::Make> table;
  return table;
}

}  // namespace

ExtensionEntry::ExtensionEntry(const char* name, Make make) { entries()[name] = make; }

const BackendExtension* DeviceBackend::extension(std::string_view name) const {
  const auto at = extensions_.find(name);
  return at == extensions_.end() ? nullptr : at->second.get();
}

DeviceBackend::DeviceBackend(std::unique_ptr<const DeviceMemory> memory, std::unique_ptr<const Library> library,
                             Stream::Way way, int multiprocessors, DType activations, const Backend& host)
    : memory_(std::move(memory)),
      library_(std::move(library)),
      activations_(activations),
      host_(host),
      device_step_(static_cast<StepContext*>(memory_->allocate(sizeof(StepContext)))),
      stream_(way, multiprocessors, *memory_, device_step_) {
#define GRAFT_REGISTER(name) register_##name(table_, stream_);
  GRAFT_CUDA_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  if (library_) {
#define GRAFT_REGISTER(name) register_##name(table_, {stream_, *library_});
    GRAFT_CUDA_LIBRARY_KERNEL_FILES(GRAFT_REGISTER)
#undef GRAFT_REGISTER
  }
  for (const auto& [extension_name, make] : entries()) extensions_[extension_name] = make(stream_, *memory_);
}

DeviceBackend::~DeviceBackend() { memory_->release(device_step_); }

void DeviceBackend::begin(const StepContext& step) const {
  // Not from page-locked memory, which must stay as it is until it was read: another plan of this backend may begin
  // before this one has.
  memory_->upload(device_step_, &step, sizeof step);
}

// A library does not promise that a convolution's result may lie where its residual lay.
bool DeviceBackend::may_overwrite(const Operator& op, int) const {
  return dynamic_cast<const Convolution*>(&op) == nullptr;
}

std::unique_ptr<Kernel> DeviceBackend::make_kernel(const KernelRequest& request) const {
  if (const auto* factory = table_.find(request.op))
    if (auto kernel = (*factory)(request)) return kernel;
  return on_the_processor(request, *memory_, host_);
}

}  // namespace graft::cuda
