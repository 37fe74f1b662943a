#include "runtime/cuda/emulated_stream.h"

#include "runtime/core/error.h"

namespace graft::cuda {

void EmulatedStream::refuse_capture() const {
  if (captured_) throw Error("a captured graph would wait for the device", {}, ErrorCode::internal);
}

void EmulatedStream::wait(const Event& event) {
  refuse_capture();
  const auto& of = static_cast<const EmulatedEvent&>(event);
  if (of.stream_) enqueue([stream = of.stream_, position = of.position_] { stream->run_until(position); });
}

void EmulatedStream::synchronize() {
  refuse_capture();
  run_until(queued_);
}

void EmulatedStream::run_until(uint64_t position) {
  if (running_) return;  // asked for by the running work itself: what was queued before it is done
  const Restore<bool> restore{running_, false};
  running_ = true;
  while (done_ < position) {
    const std::function<void()> piece = std::move(queue_.front());
    queue_.pop_front();
    ++done_;
    piece();
  }
}

void EmulatedEvent::record(Stream& stream) {
  stream_ = &static_cast<EmulatedStream&>(stream);
  stream_->refuse_capture();
  position_ = stream_->queued();
}

void EmulatedEvent::synchronize() const {
  if (!stream_) return;
  stream_->refuse_capture();
  stream_->run_until(position_);
}

}  // namespace graft::cuda
