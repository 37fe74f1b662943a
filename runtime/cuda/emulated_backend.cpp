#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/emulated_device.h"
#include "runtime/cuda/emulated_library.h"

namespace graft::cuda {
namespace {

class EmulatedGraph final : public CapturedGraph {
 public:
  EmulatedGraph(EmulatedStream::Work work, EmulatedStream& stream)
      : work_(std::make_shared<const EmulatedStream::Work>(std::move(work))), stream_(stream) {}
  void replay() override {
    stream_.enqueue([work = work_] {
      for (const auto& piece : *work) piece();
    });
  }

 private:
  std::shared_ptr<const EmulatedStream::Work> work_;
  EmulatedStream& stream_;
};

/// Is queued as a whole, so that what libraries do on a GPU, and the processor here, can be captured too.
class QueuedKernel final : public Kernel {
 public:
  QueuedKernel(std::unique_ptr<Kernel> kernel, EmulatedStream& stream) : kernel_(std::move(kernel)), stream_(stream) {}
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  void refresh() override { kernel_->refresh(); }
  void run(const KernelArguments& arguments) override {
    stream_.enqueue([this, arguments] { kernel_->run(arguments); });
  }

 private:
  std::unique_ptr<Kernel> kernel_;
  EmulatedStream& stream_;
};

DeviceParts emulated_parts(std::unique_ptr<const EmulatedDevice> device, const Backend& host) {
  constexpr int kMultiprocessors = 2;  // few, so that small tensors too are dealt out in parts
  DeviceParts parts;
  parts.target.emulated = &device->compute_stream();
  parts.multiprocessors = kMultiprocessors;
  parts.library = emulated_library(*device, host);
  parts.device = std::move(device);
  return parts;
}

class EmulatedBackend final : public DeviceBackend {
 public:
  EmulatedBackend(std::unique_ptr<const EmulatedDevice> device, DType activations, const Backend& host)
      : DeviceBackend(emulated_parts(std::move(device), host), activations, host) {}
  std::string_view name() const override { return "emulated"; }
  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) const override {
    return std::make_unique<EmulatedGraph>(stream().capture(work), stream());
  }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    auto kernel = DeviceBackend::make_kernel(request);
    if (kernel->can_be_captured()) return kernel;
    return std::make_unique<QueuedKernel>(std::move(kernel), stream());
  }

 private:
  EmulatedStream& stream() const { return static_cast<const EmulatedDevice*>(device())->compute_stream(); }
};

}  // namespace

std::unique_ptr<const Backend> make_emulated_backend(std::unique_ptr<const EmulatedDevice> device, const Backend& host,
                                                     DType activations) {
  return std::make_unique<EmulatedBackend>(std::move(device), activations, host);
}

const Backend& emulated_backend(const Backend& host, DType activations) {
  static const EmulatedBackend floats(std::make_unique<EmulatedDevice>(), DType::f32, host),
      halves(std::make_unique<EmulatedDevice>(), DType::f16, host),
      brains(std::make_unique<EmulatedDevice>(), DType::bf16, host);
  return activations == DType::f16 ? halves : activations == DType::bf16 ? brains : floats;
}

}  // namespace graft::cuda
