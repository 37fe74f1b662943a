#pragma once

#include "runtime/core/backend.h"

namespace graft {

/// The processor as a device: kernels work in the program's own memory, work is done when the call that queues it
/// returns, and a copy of memory to itself does nothing. Fresh memory is zero. Thread-safe; lives as long as the
/// program.
const Device& processor_device();

/// The device on which a backend's kernels work.
inline const Device& device_of(const Backend& backend) {
  return backend.device() ? *backend.device() : processor_device();
}

}  // namespace graft
