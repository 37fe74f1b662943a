#pragma once

#include "runtime/core/device.h"

namespace graft::cuda {

/// A few numbers that cross to the device or come back: staging memory, and the device's copy of it.
template <typename T>
class Table {
 public:
  Table(size_t count, const Device& device)
      : count_(count), device_(device), staging_(device, count * sizeof(T)), buffer_(device, count * sizeof(T)) {}
  T* host() const { return staging_.as<T>(); }
  T* device() const { return buffer_.as<T>(); }
  size_t count() const { return count_; }
  /// Queued on the compute stream; host() must not change before that has come so far.
  void upload() { device_.upload(device(), host(), buffer_.bytes()); }
  /// Queued on the compute stream; host() holds the numbers once that is synchronised.
  void download() { device_.download(host(), device(), buffer_.bytes()); }

 private:
  size_t count_;
  const Device& device_;
  StagingBuffer staging_;
  DeviceBuffer buffer_;
};

}  // namespace graft::cuda
