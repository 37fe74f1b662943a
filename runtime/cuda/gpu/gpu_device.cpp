#include "runtime/cuda/gpu/gpu_device.h"

#include <string>

#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/cuda/gpu/check.h"

namespace graft::cuda {
namespace {

class GpuEvent final : public Event {
 public:
  GpuEvent() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event"); }
  ~GpuEvent() override { (void)cudaEventDestroy(event_); }
  GpuEvent(const GpuEvent&) = delete;
  GpuEvent& operator=(const GpuEvent&) = delete;
  void record(Stream& stream) override {
    check(cudaEventRecord(event_, static_cast<GpuStream&>(stream).get()), "recording an event");
  }
  void synchronize() const override { check(cudaEventSynchronize(event_), "computing"); }
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

cudaMemcpyKind kind_of(CopyDirection direction) {
  switch (direction) {
    case CopyDirection::host_to_device:
      return cudaMemcpyHostToDevice;
    case CopyDirection::device_to_host:
      return cudaMemcpyDeviceToHost;
    case CopyDirection::device_to_device:
      break;
  }
  return cudaMemcpyDeviceToDevice;
}

}  // namespace

GpuStream::GpuStream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }

GpuStream::~GpuStream() { (void)cudaStreamDestroy(stream_); }

// An event that was never recorded counts as done.
void GpuStream::wait(const Event& event) {
  check(cudaStreamWaitEvent(stream_, static_cast<const GpuEvent&>(event).get(), 0), "waiting for an event");
}

void GpuStream::synchronize() { check(cudaStreamSynchronize(stream_), "computing"); }

std::unique_ptr<Event> GpuDevice::make_event() const { return std::make_unique<GpuEvent>(); }

void* GpuDevice::allocate(MemoryKind kind, size_t bytes) const {
  void* address = nullptr;
  if (kind == MemoryKind::staging) {
    check(cudaHostAlloc(&address, bytes, cudaHostAllocDefault), "allocating page-locked memory");
    return address;
  }
  const cudaError_t status = cudaMalloc(&address, bytes);
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // the failure is told here, not to the next call
    throw Error(
        "the GPU's memory is full: " + mebibytes(bytes) + " are needed, " + mebibytes(available()) + " are free",
        "use a smaller " + mention("batch") + " or " + mention("memory"), ErrorCode::out_of_memory);
  }
  check(status, "allocating memory");
  return address;
}

// cudaFree and cudaFreeHost wait for what is queued.
void GpuDevice::release(MemoryKind kind, void* address) const noexcept {
  (void)(kind == MemoryKind::staging ? cudaFreeHost(address) : cudaFree(address));
}

// From memory that is not page-locked the call returns once the bytes are in the driver's own buffer.
void GpuDevice::copy_async(void* to, const void* from, size_t bytes, CopyDirection direction, Stream& stream) const {
  check(cudaMemcpyAsync(to, from, bytes, kind_of(direction), static_cast<GpuStream&>(stream).get()), "copying data");
}

size_t GpuDevice::available() const {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return free;
}

}  // namespace graft::cuda
