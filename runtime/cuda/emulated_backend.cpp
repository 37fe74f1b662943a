#include <cstdlib>
#include <cstring>

#include "runtime/core/error.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/emulated_library.h"

namespace graft::cuda {
namespace {

/// Ordinary memory that only transfers and kernels touch, in their turn. Fresh memory holds what no result may: a
/// kernel that reads what nobody wrote is noticed.
class EmulatedMemory final : public DeviceMemory {
 public:
  explicit EmulatedMemory(EmulatedStream& emulated) : emulated_(emulated) {}
  void* allocate(size_t bytes) const override {
    void* p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (!p)
      throw Error("out of memory: " + std::to_string(bytes >> 20) + " MiB were asked for",
                  "use a smaller " + mention("batch"), ErrorCode::out_of_memory);
    std::memset(p, 0xff, bytes);  // NaN
    return p;
  }
  void release(void* p) const noexcept override { std::free(p); }
  void* allocate_host(size_t bytes) const override { return allocate(bytes); }
  void release_host(void* p) const noexcept override { std::free(p); }
  void upload(void* device, const void* host, size_t bytes) const override { copy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) const override { copy(host, device, bytes); }
  void send_beside(void* room, const void* host, size_t bytes) const override { std::memcpy(room, host, bytes); }
  void take(void* device, const void* room, size_t bytes) const override { copy(device, room, bytes); }
  void wait() const override {
    if (emulated_.is_capturing()) throw Error("what is recorded waits for the device");
  }
  void mark() const override { wait(); }
  void wait_for_mark() const override { wait(); }
  size_t available() const override { return SIZE_MAX; }

 private:
  void copy(void* to, const void* from, size_t bytes) const {
    emulated_.take([=] { std::memcpy(to, from, bytes); });
  }
  static constexpr size_t kAlignment = 256;
  EmulatedStream& emulated_;
};

class EmulatedGraph final : public CapturedGraph {
 public:
  explicit EmulatedGraph(EmulatedStream::Work work) : work_(std::move(work)) {}
  void run() override {
    for (const auto& piece : work_) piece();
  }

 private:
  EmulatedStream::Work work_;
};

/// Goes onto the emulated as a whole, so that what libraries do on a GPU, and the processor here, can be recorded too.
class Taped final : public Kernel {
 public:
  Taped(std::unique_ptr<Kernel> kernel, EmulatedStream& emulated) : kernel_(std::move(kernel)), emulated_(emulated) {}
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  void refresh() override { kernel_->refresh(); }
  void run(const KernelArguments& arguments) override {
    emulated_.take([this, arguments] { kernel_->run(arguments); });
  }

 private:
  std::unique_ptr<Kernel> kernel_;
  EmulatedStream& emulated_;
};

struct Parts {
  std::unique_ptr<EmulatedStream> emulated = std::make_unique<EmulatedStream>();
  std::unique_ptr<EmulatedMemory> memory = std::make_unique<EmulatedMemory>(*emulated);
};

class EmulatedBackend final : public DeviceBackend {
 public:
  EmulatedBackend(DType activations, const Backend& host) : EmulatedBackend(Parts(), activations, host) {}
  std::string_view name() const override { return "emulated"; }
  std::unique_ptr<CapturedGraph> capture(const std::function<void()>& work) const override {
    return std::make_unique<EmulatedGraph>(emulated_->capture(work));
  }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    auto kernel = DeviceBackend::make_kernel(request);
    if (kernel->can_be_captured()) return kernel;
    return std::make_unique<Taped>(std::move(kernel), *emulated_);
  }

 private:
  EmulatedBackend(Parts parts, DType activations, const Backend& host)
      : EmulatedBackend(emulated_library(*parts.memory, *parts.emulated, host), parts, activations, host) {}
  EmulatedBackend(std::unique_ptr<Library> library, Parts& parts, DType activations, const Backend& host)
      : DeviceBackend(std::move(parts.memory), std::move(library), {nullptr, parts.emulated.get()}, kMultiprocessors,
                      activations, host),
        emulated_(std::move(parts.emulated)) {}
  static constexpr int kMultiprocessors = 2;  // few, so that small tensors too are dealt out in parts
  std::unique_ptr<EmulatedStream> emulated_;
};

}  // namespace

const Backend& emulated_backend(const Backend& host, DType activations) {
  static const EmulatedBackend floats(DType::f32, host), halves(DType::f16, host), brains(DType::bf16, host);
  return activations == DType::f16 ? halves : activations == DType::bf16 ? brains : floats;
}

}  // namespace graft::cuda
