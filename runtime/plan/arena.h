#pragma once

#include <cstddef>
#include <memory>

#include "runtime/core/backend.h"

namespace graft {

/// One block of memory, aligned to kArenaAlignment, that it owns: the program's, or a device's.
class Arena {
 public:
  Arena() = default;
  /// In the program's memory where `device` is null. Throws Error when there is not so much.
  Arena(size_t bytes, const Device* device);
  std::byte* data() const { return device_ ? device_.as<std::byte>() : host_.get(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  size_t bytes_ = 0;
  std::unique_ptr<std::byte, Free> host_;
  DeviceBuffer device_;
};

}  // namespace graft
