#include "runtime/cuda/emulated_device.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "runtime/core/error.h"

namespace graft::cuda {
namespace {

constexpr size_t kAlignment = 256;

}  // namespace

EmulatedDevice::EmulatedDevice(Execution compute, Execution copies)
    : compute_(std::make_unique<EmulatedStream>(compute)), copies_(std::make_unique<EmulatedStream>(copies)) {}

EmulatedDevice::~EmulatedDevice() = default;

void* EmulatedDevice::allocate(MemoryKind kind, size_t bytes) const {
  void* address = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (!address)
    throw Error("out of memory: " + std::to_string(bytes >> 20) + " MiB were asked for",
                "use a smaller " + mention("batch"), ErrorCode::out_of_memory);
  std::memset(address, 0xff, bytes);  // NaN
  if (kind == MemoryKind::staging) staging_[static_cast<const std::byte*>(address)] = bytes;
  return address;
}

void EmulatedDevice::release(MemoryKind kind, void* address) const noexcept {
  try {
    copies_->run_until(copies_->queued());
    compute_->run_until(compute_->queued());
  } catch (...) {  // work that fails after its results are given up is nobody's concern
  }
  if (kind == MemoryKind::staging) staging_.erase(static_cast<const std::byte*>(address));
  std::free(address);
}

bool EmulatedDevice::is_staging(const void* address) const {
  const auto* const at = static_cast<const std::byte*>(address);
  auto next = staging_.upper_bound(at);
  if (next == staging_.begin()) return false;
  --next;
  return at < next->first + next->second;
}

// Like a driver, takes a copy of what does not come from staging memory, and leaves staging memory to be read later.
void EmulatedDevice::copy_async(void* to, const void* from, size_t bytes, CopyDirection direction,
                                Stream& stream) const {
  auto& queue = static_cast<EmulatedStream&>(stream);
  if (direction == CopyDirection::host_to_device && queue.is_deferring() && !is_staging(from)) {
    const auto* const first = static_cast<const std::byte*>(from);
    queue.enqueue(
        [to, kept = std::vector<std::byte>(first, first + bytes)] { std::memcpy(to, kept.data(), kept.size()); });
    return;
  }
  queue.enqueue([to, from, bytes] { std::memcpy(to, from, bytes); });
}

}  // namespace graft::cuda
