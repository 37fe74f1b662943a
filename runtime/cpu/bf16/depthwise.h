#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu::bf16 {

/// One filter a channel. Null for other convolutions.
std::unique_ptr<Kernel> depthwise_forward(const Convolution& op, const KernelRequest& request);

}  // namespace graft::cpu::bf16
