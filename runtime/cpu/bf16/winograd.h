#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/ops/convolution.h"

namespace graft::cpu::bf16 {

/// 3×3 of stride 1 by Winograd's F(2×2, 3×3), with less than half of the multiplications. Null for other shapes, and
/// where there are too few pixels for it to pay.
std::unique_ptr<Kernel> winograd_forward(const Convolution& op, const KernelRequest& request);

/// The same of the gradient of such a convolution's input.
std::unique_ptr<Kernel> winograd_backward_data(const ConvolutionBackwardData& op, const KernelRequest& request);

}  // namespace graft::cpu::bf16
