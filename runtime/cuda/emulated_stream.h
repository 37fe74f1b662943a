#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "runtime/core/device.h"

namespace graft::cuda {

/// A stream whose work the calling thread runs. Eager: as soon as it is queued, unless it is being captured. Deferred:
/// as late as a GPU might, when something waits for it; work that is not ordered by events is then found out of order.
class EmulatedStream final : public Stream {
 public:
  enum class Execution : uint8_t { eager, deferred };
  using Work = std::vector<std::function<void()>>;

  explicit EmulatedStream(Execution execution = Execution::eager) : execution_(execution) {}

  /// What the running work queues in its turn is part of it, and done at once.
  template <typename Piece>
  void enqueue(Piece&& piece) {
    if (captured_) {
      captured_->emplace_back(std::forward<Piece>(piece));
    } else if (execution_ == Execution::eager || running_) {
      piece();
    } else {
      queue_.emplace_back(std::forward<Piece>(piece));
      ++queued_;
    }
  }
  /// Calls `queue_work` and returns what was queued meanwhile, of which nothing was done.
  Work capture(const std::function<void()>& queue_work) {
    Work work;
    const Restore<Work*> restore{captured_, std::exchange(captured_, &work)};
    queue_work();
    return work;
  }
  bool is_capturing() const { return captured_ != nullptr; }
  bool is_deferring() const { return execution_ == Execution::deferred && !running_ && !captured_; }

  /// Throw Error while work is captured: a captured graph waits for nothing outside it.
  void wait(const Event& event) override;
  void synchronize() override;

  /// The number of pieces that were ever queued.
  uint64_t queued() const { return queued_; }
  /// Runs queued pieces until so many were ever done. Throws what they throw.
  void run_until(uint64_t position);

 private:
  friend class EmulatedEvent;
  template <typename T>
  struct Restore {
    T& value;
    T before;
    ~Restore() { value = before; }
  };
  void refuse_capture() const;

  Execution execution_;
  Work* captured_ = nullptr;
  std::deque<std::function<void()>> queue_;
  uint64_t queued_ = 0, done_ = 0;
  bool running_ = false;
};

/// A position in an EmulatedStream.
class EmulatedEvent final : public Event {
 public:
  void record(Stream& stream) override;
  void synchronize() const override;

 private:
  friend class EmulatedStream;
  EmulatedStream* stream_ = nullptr;  // null before the first record()
  uint64_t position_ = 0;
};

}  // namespace graft::cuda
