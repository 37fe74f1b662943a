#pragma once

#include "runtime/core/backend.h"
#include "runtime/cuda/emulated_device.h"
#include "runtime/cuda/library.h"

namespace graft::cuda {

/// What cuDNN and cuBLASLt compute, by the processor: what is built around them can then be tested without them. Both
/// outlive the result. As theirs, its convolutions do not take everything along: leaky ReLUs are left to the caller.
std::unique_ptr<Library> emulated_library(const EmulatedDevice& device, const Backend& host);

}  // namespace graft::cuda
