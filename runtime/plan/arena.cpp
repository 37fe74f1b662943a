#include "runtime/plan/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/core/error.h"
#include "runtime/plan/memory_planner.h"

namespace graft {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t rounded_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

Arena::Arena(size_t bytes, const Device* device) : bytes_(std::max<size_t>(bytes, kArenaAlignment)) {
  if (device) {
    device_ = DeviceBuffer(*device, bytes_);
    return;
  }
  const size_t alignment = bytes_ >= kHugePage ? kHugePage : kArenaAlignment, rounded = rounded_up(bytes_, alignment);
  host_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
  if (!host_)
    throw Error("out of memory: the plan needs " + std::to_string(bytes_ >> 20) + " MiB",
                "use a smaller " + mention("batch"), ErrorCode::out_of_memory);
  // Large pages spare the TLB; failing to get them costs nothing but speed.
  if (bytes_ >= kHugePage) (void)madvise(host_.get(), rounded, MADV_HUGEPAGE);
}

void Arena::Free::operator()(std::byte* p) const { std::free(p); }

}  // namespace graft
