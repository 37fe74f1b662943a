#pragma once

#include <memory>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// Computes on the processor what the device has no kernel for: inputs are downloaded, the result is uploaded. Slow,
/// and it keeps a plan from being captured; it serves operators that no hot path holds.
std::unique_ptr<Kernel> on_the_processor(const KernelRequest& request, const Device& device, const Backend& host);

}  // namespace graft::cuda
