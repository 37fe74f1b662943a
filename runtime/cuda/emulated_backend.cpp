#include <cstdlib>
#include <cstring>

#include "runtime/base/error.h"
#include "runtime/cuda/device_backend.h"

namespace graft::cuda {
namespace {

/// Ordinary memory that only transfers and kernels touch. Fresh memory holds what no result may: a kernel that reads what nobody wrote is noticed.
class EmulatedMemory final : public DeviceMemory {
 public:
  void* allocate(size_t bytes) const override {
    void* p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (!p) throw Error("out of memory: " + std::to_string(bytes >> 20) + " MiB were asked for", "use a smaller --batch");
    std::memset(p, 0xff, bytes);  // NaN
    return p;
  }
  void release(void* p) const noexcept override { std::free(p); }
  void* allocate_host(size_t bytes) const override { return allocate(bytes); }
  void release_host(void* p) const noexcept override { std::free(p); }
  void upload(void* device, const void* host, size_t bytes) const override { std::memcpy(device, host, bytes); }
  void download(void* host, const void* device, size_t bytes) const override { std::memcpy(host, device, bytes); }
  void send_beside(void* room, const void* host, size_t bytes) const override { std::memcpy(room, host, bytes); }
  void take(void* device, const void* room, size_t bytes) const override { std::memcpy(device, room, bytes); }
  void wait() const override {}
  size_t available() const override { return SIZE_MAX; }

 private:
  static constexpr size_t kAlignment = 256;
};

/// Repeats the work itself: what a recording must not depend on (addresses and numbers that change) shows here as it would on a device.
class EmulatedRecording final : public Recording {
 public:
  explicit EmulatedRecording(std::function<void()> work) : work_(std::move(work)) {}
  void run() override { work_(); }

 private:
  std::function<void()> work_;
};

class EmulatedBackend final : public DeviceBackend {
 public:
  EmulatedBackend(DType activations, const Backend& host) : DeviceBackend(std::make_unique<EmulatedMemory>(), nullptr, kMultiprocessors, activations, host) {}
  std::string_view name() const override { return "emulated"; }
  std::unique_ptr<Recording> record(const std::function<void()>& work) const override { return std::make_unique<EmulatedRecording>(work); }

 private:
  static constexpr int kMultiprocessors = 2;  // few, so that small tensors too are dealt out in parts
};

}  // namespace

const Backend& emulated_backend(const Backend& host, DType activations) {
  static const EmulatedBackend floats(DType::f32, host), halves(DType::f16, host), brains(DType::bf16, host);
  return activations == DType::f16 ? halves : activations == DType::bf16 ? brains : floats;
}

}  // namespace graft::cuda
