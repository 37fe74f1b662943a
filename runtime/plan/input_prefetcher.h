#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/plan/plan.h"

namespace graft {

/// Carries a plan's next inputs to its device while the device computes on the present ones: through page-locked
/// memory, two rooms in turn, into a room there, from which a pass takes them.
class InputPrefetcher {
 public:
  /// For the first `count` inputs of the plan, which nobody else brings from then on. Null where the plan's backend has
  /// no memory of its own. `plan` outlives the result.
  static std::unique_ptr<InputPrefetcher> make(Plan& plan, size_t count);
  ~InputPrefetcher();
  InputPrefetcher(const InputPrefetcher&) = delete;
  InputPrefetcher& operator=(const InputPrefetcher&) = delete;

  /// Begins to carry them over; they may change when it returns. Between two calls there must be a take() and a wait
  /// for the device. The first ones may be `there` already: nothing is carried then, and they must stay until take()'s
  /// work is done.
  void send(std::span<const float* const> inputs, std::span<const void* const> there = {});
  /// Whether something was sent that was not taken.
  bool sent() const { return sent_; }
  /// Queues: what was sent becomes the plan's inputs.
  void take();
  /// What was sent is not wanted after all.
  void forget() { sent_ = false; }

 private:
  explicit InputPrefetcher(const DeviceMemory& memory) : memory_(memory) {}
  struct Input {
    void* device;  // of the plan
    size_t bytes;
    const void* from = nullptr;  // on the device: the room below, or where it was already
    void* room = nullptr;        // where it arrives
    void* host[2] = {};
  };
  const DeviceMemory& memory_;
  std::vector<Input> inputs_;
  int turn_ = 0;
  bool sent_ = false;
};

}  // namespace graft
