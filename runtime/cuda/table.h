#pragma once

#include <algorithm>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// Memory on both sides for numbers that go over, or come back.
template <typename T>
class Table {
 public:
  Table(size_t count, const DeviceMemory& memory)
      : count_(count),
        memory_(memory),
        host_(static_cast<T*>(memory.allocate_host(bytes()))),
        device_(static_cast<T*>(memory.allocate(bytes()))) {}
  ~Table() {
    memory_.release_host(host_);
    memory_.release(device_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  T* host() const { return host_; }
  T* device() const { return device_; }
  size_t count() const { return count_; }
  void upload() { memory_.upload(device_, host_, bytes()); }
  /// There after the next wait().
  void download() { memory_.download(host_, device_, bytes()); }

 private:
  size_t bytes() const { return std::max<size_t>(1, count_) * sizeof(T); }
  size_t count_;
  const DeviceMemory& memory_;
  T* host_;
  T* device_;
};

}  // namespace graft::cuda
