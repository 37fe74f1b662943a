#pragma once

#include <cstddef>
#include <memory>

#include "runtime/core/backend.h"

namespace graft {

/// One block of memory, aligned to kArenaAlignment, that it owns.
class Arena {
 public:
  Arena() = default;
  /// In the program's memory where `device` is null. Throws Error when there is not so much.
  Arena(size_t bytes, const DeviceMemory* device);
  std::byte* data() const { return data_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Free {
    const DeviceMemory* device;
    void operator()(std::byte* p) const;
  };
  size_t bytes_ = 0;
  std::unique_ptr<std::byte, Free> data_{nullptr, Free{nullptr}};
};

}  // namespace graft
