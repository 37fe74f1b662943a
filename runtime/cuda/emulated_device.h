#pragma once

#include <map>

#include "runtime/cuda/emulated_stream.h"

namespace graft::cuda {

/// Ordinary memory that only queued copies and kernels touch. Fresh memory holds what no result may: a kernel that
/// reads what nobody wrote is noticed.
class EmulatedDevice : public Device {
 public:
  using Execution = EmulatedStream::Execution;
  /// How the two streams execute. Copies that are not waited for by events are found late, as they may be on a GPU.
  explicit EmulatedDevice(Execution compute = Execution::eager, Execution copies = Execution::deferred);
  ~EmulatedDevice() override;
  EmulatedStream& compute_stream() const override { return *compute_; }
  EmulatedStream& copy_stream() const override { return *copies_; }
  std::unique_ptr<Event> make_event() const override { return std::make_unique<EmulatedEvent>(); }
  void copy_async(void* to, const void* from, size_t bytes, CopyDirection direction, Stream& stream) const override;
  size_t available() const override { return SIZE_MAX; }

 protected:
  void* allocate(MemoryKind kind, size_t bytes) const override;
  /// As a GPU's driver does, waits for everything that is queued.
  void release(MemoryKind kind, void* address) const noexcept override;

 private:
  bool is_staging(const void* address) const;
  std::unique_ptr<EmulatedStream> compute_, copies_;
  mutable std::map<const std::byte*, size_t> staging_;  // what is allocated: first byte, and how many
};

}  // namespace graft::cuda
