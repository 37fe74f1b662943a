#include "runtime/core/processor_device.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/core/error.h"

namespace graft {
namespace {

constexpr size_t kAlignment = 256;

class ProcessorStream final : public Stream {
 public:
  void wait(const Event&) override {}
  void synchronize() override {}
};

class ProcessorEvent final : public Event {
 public:
  void record(Stream&) override {}
  void synchronize() const override {}
};

class ProcessorDevice final : public Device {
 public:
  Stream& compute_stream() const override { return *compute_; }
  Stream& copy_stream() const override { return *copies_; }
  std::unique_ptr<Event> make_event() const override { return std::make_unique<ProcessorEvent>(); }
  void copy_async(void* to, const void* from, size_t bytes, CopyDirection, Stream&) const override {
    if (to != from && bytes > 0) std::memcpy(to, from, bytes);
  }
  size_t available() const override { return SIZE_MAX; }  // the operating system decides when it is asked
  bool shares_host_memory() const override { return true; }

 private:
  void* allocate(MemoryKind, size_t bytes) const override {
    const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    void* const address = std::aligned_alloc(kAlignment, rounded);
    if (!address)
      throw Error("out of memory: " + std::to_string(bytes >> 20) + " MiB were asked for",
                  "use a smaller " + mention("batch"), ErrorCode::out_of_memory);
    return std::memset(address, 0, rounded);
  }
  void release(MemoryKind, void* address) const noexcept override { std::free(address); }
  std::unique_ptr<ProcessorStream> compute_ = std::make_unique<ProcessorStream>(),
                                   copies_ = std::make_unique<ProcessorStream>();
};

}  // namespace

const Device& processor_device() {
  static const ProcessorDevice device;
  return device;
}

}  // namespace graft
