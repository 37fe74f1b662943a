#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/plan/plan.h"

namespace graft {

/// Memory through which data goes to a device while it computes: a double buffer of staging memory, and a buffer on the
/// device from which the compute stream copies. Copies go over the copy stream; events keep the order.
class PrefetchBuffer {
 public:
  /// `device` outlives this object.
  PrefetchBuffer(const Device& device, size_t bytes);
  /// Where the next data is written. Waits until what was written there two batches before has been copied.
  void* next_staging();
  /// Queues the copy of what was written there, on the copy stream, behind the last consume(): what was prefetched
  /// before is consumed before it is overwritten.
  void prefetch();
  /// Queues a copy of what was prefetched to `to`, on the device's compute stream, once it has arrived.
  void consume(void* to);

 private:
  const Device& device_;
  StagingBuffer staging_[2];
  DeviceBuffer arrived_;
  std::unique_ptr<Event> copied_[2], consumed_;  // copied_: of each staging buffer
  int current_ = 0;
};

/// Brings a plan's next inputs to its device while the device computes on the present ones.
class InputPrefetcher {
 public:
  /// For the first `count` inputs of the plan, which nobody else brings from then on. The plan's backend has a device.
  /// `plan` outlives this object.
  InputPrefetcher(Plan& plan, size_t count);

  /// Starts the copies; the inputs may change when it returns. The first inputs may lie on the device already, at
  /// `device_inputs`: they are not copied here, and must stay until the work that stage() queues is done.
  void prefetch(std::span<const float* const> inputs, std::span<const void* const> device_inputs = {});
  /// Whether something was prefetched that was not staged.
  bool pending() const { return pending_; }
  /// Queues: what was prefetched becomes the plan's inputs.
  void stage();
  /// What was prefetched is not wanted after all.
  void discard() { pending_ = false; }

 private:
  struct Input {
    void* target;  // of the plan, on the device
    size_t bytes;
    std::unique_ptr<PrefetchBuffer> buffer;  // null before it is needed
    const void* resident = nullptr;          // where the device has it already, or null
  };
  const Device& device_;
  std::vector<Input> inputs_;
  bool pending_ = false;
};

}  // namespace graft
