#pragma once

#include <memory>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// Computes on the processor what the device has no kernel for: inputs are brought over, the result is taken back.
/// Slow, and it keeps a plan from being recorded; it stands for operators that no hot path holds.
std::unique_ptr<Kernel> on_the_processor(const KernelRequest& request, const DeviceMemory& memory, const Backend& host);

}  // namespace graft::cuda
