#include <cstdlib>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/cuda/device_backend.h"
#include "runtime/cuda/emulated_library.h"

namespace graft::cuda {
namespace {

/// Ordinary memory that only transfers and kernels touch, in their turn. Fresh memory holds what no result may: a kernel that reads what nobody wrote is noticed.
class EmulatedMemory final : public DeviceMemory {
 public:
  explicit EmulatedMemory(Tape& tape) : tape_(tape) {}
  void* allocate(size_t bytes) const override {
    void* p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (!p) throw Error("out of memory: " + std::to_string(bytes >> 20) + " MiB were asked for", "use a smaller --batch");
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
    if (tape_.is_recording()) throw Error("what is recorded waits for the device");
  }
  void mark() const override { wait(); }
  void wait_for_mark() const override { wait(); }
  size_t available() const override { return SIZE_MAX; }

 private:
  void copy(void* to, const void* from, size_t bytes) const {
    tape_.take([=] { std::memcpy(to, from, bytes); });
  }
  static constexpr size_t kAlignment = 256;
  Tape& tape_;
};

class EmulatedRecording final : public Recording {
 public:
  explicit EmulatedRecording(Tape::Work work) : work_(std::move(work)) {}
  void run() override {
    for (const auto& piece : work_) piece();
  }

 private:
  Tape::Work work_;
};

/// Goes onto the tape as a whole, so that what libraries do on a GPU, and the processor here, can be recorded too.
class Taped final : public Kernel {
 public:
  Taped(std::unique_ptr<Kernel> kernel, Tape& tape) : kernel_(std::move(kernel)), tape_(tape) {}
  size_t scratch_bytes() const override { return kernel_->scratch_bytes(); }
  void refresh() override { kernel_->refresh(); }
  void run(const KernelArguments& arguments) override {
    tape_.take([this, arguments] { kernel_->run(arguments); });
  }

 private:
  std::unique_ptr<Kernel> kernel_;
  Tape& tape_;
};

struct Parts {
  std::unique_ptr<Tape> tape = std::make_unique<Tape>();
  std::unique_ptr<EmulatedMemory> memory = std::make_unique<EmulatedMemory>(*tape);
};

class EmulatedBackend final : public DeviceBackend {
 public:
  EmulatedBackend(DType activations, const Backend& host) : EmulatedBackend(Parts(), activations, host) {}
  std::string_view name() const override { return "emulated"; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) const override { return std::make_unique<EmulatedRecording>(tape_->record(work)); }
  std::unique_ptr<Kernel> make_kernel(const KernelRequest& request) const override {
    auto kernel = DeviceBackend::make_kernel(request);
    if (kernel->can_be_recorded()) return kernel;
    return std::make_unique<Taped>(std::move(kernel), *tape_);
  }

 private:
  EmulatedBackend(Parts parts, DType activations, const Backend& host) : EmulatedBackend(emulated_library(*parts.memory, *parts.tape, host), parts, activations, host) {}
  EmulatedBackend(std::unique_ptr<Library> library, Parts& parts, DType activations, const Backend& host)
      : DeviceBackend(std::move(parts.memory), std::move(library), {nullptr, parts.tape.get()}, kMultiprocessors, activations, host), tape_(std::move(parts.tape)) {}
  static constexpr int kMultiprocessors = 2;  // few, so that small tensors too are dealt out in parts
  std::unique_ptr<Tape> tape_;
};

}  // namespace

const Backend& emulated_backend(const Backend& host, DType activations) {
  static const EmulatedBackend floats(DType::f32, host), halves(DType::f16, host), brains(DType::bf16, host);
  return activations == DType::f16 ? halves : activations == DType::bf16 ? brains : floats;
}

}  // namespace graft::cuda
