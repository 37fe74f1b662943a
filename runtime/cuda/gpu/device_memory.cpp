#include "runtime/cuda/gpu/device_memory.h"

#include <string>

#include "runtime/core/error.h"
#include "runtime/core/memory_text.h"
#include "runtime/cuda/gpu/check.h"

namespace graft::cuda {
namespace {}  // namespace

GpuMemory::GpuMemory(cudaStream_t stream) : stream_(stream) {
  check(cudaStreamCreateWithFlags(&beside_, cudaStreamNonBlocking), "making a stream");
  check(cudaEventCreateWithFlags(&sent_, cudaEventDisableTiming), "making an event");
  check(cudaEventCreateWithFlags(&taken_, cudaEventDisableTiming), "making an event");
  check(cudaEventCreateWithFlags(&mark_, cudaEventDisableTiming), "making an event");
}

GpuMemory::~GpuMemory() {
  (void)cudaEventDestroy(mark_);
  (void)cudaEventDestroy(taken_);
  (void)cudaEventDestroy(sent_);
  (void)cudaStreamDestroy(beside_);
}

void* GpuMemory::allocate(size_t bytes) const {
  void* address = nullptr;
  const cudaError_t status = cudaMalloc(&address, bytes);
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();  // the failure is told here, not to the next call
    throw Error(
        "the GPU's memory is full: " + mebibytes(bytes) + " are needed, " + mebibytes(available()) + " are free",
        "use a smaller " + mention("batch") + " or " + mention("memory"), ErrorCode::out_of_memory);
  }
  check(status, "taking memory");
  return address;
}

void GpuMemory::release(void* address) const noexcept { (void)cudaFree(address); }

void* GpuMemory::allocate_host(size_t bytes) const {
  void* address = nullptr;
  check(cudaHostAlloc(&address, bytes, cudaHostAllocDefault), "taking page-locked memory");
  return address;
}

void GpuMemory::release_host(void* address) const noexcept { (void)cudaFreeHost(address); }

// From memory that is not page-locked the call returns once the bytes are on their way through the driver's own buffer.
void GpuMemory::upload(void* device, const void* host, size_t bytes) const {
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_), "bringing data to the GPU");
}

void GpuMemory::download(void* host, const void* device, size_t bytes) const {
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_), "fetching data from the GPU");
}

// An event that was never recorded counts as come.
void GpuMemory::send_beside(void* room, const void* host, size_t bytes) const {
  check(cudaStreamWaitEvent(beside_, taken_, 0), "bringing data to the GPU");
  check(cudaMemcpyAsync(room, host, bytes, cudaMemcpyHostToDevice, beside_), "bringing data to the GPU");
  check(cudaEventRecord(sent_, beside_), "bringing data to the GPU");
}

void GpuMemory::take(void* device, const void* room, size_t bytes) const {
  check(cudaStreamWaitEvent(stream_, sent_, 0), "bringing data to the GPU");
  check(cudaMemcpyAsync(device, room, bytes, cudaMemcpyDeviceToDevice, stream_), "bringing data to the GPU");
  check(cudaEventRecord(taken_, stream_), "bringing data to the GPU");
}

void GpuMemory::wait() const { check(cudaStreamSynchronize(stream_), "computing"); }
void GpuMemory::mark() const { check(cudaEventRecord(mark_, stream_), "computing"); }
void GpuMemory::wait_for_mark() const { check(cudaEventSynchronize(mark_), "computing"); }

size_t GpuMemory::available() const {
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "asking for free memory");
  return free;
}

}  // namespace graft::cuda
