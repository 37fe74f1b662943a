#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/ops/gemm.h"

namespace graft::cpu {

/// A dense layer on several rows, forward or backward to its input: our own product with packed weights. Null for what
/// is not of that form, or where oneDNN's is faster.
std::unique_ptr<Kernel> row_product(const Gemm& op, const KernelRequest& request);

/// The gradient of a dense layer's weights, Aᵀ·B over many rows of both (convolution/weight_product.cpp). Null as
/// above.
std::unique_ptr<Kernel> dense_weight_gradient(const Gemm& op, const KernelRequest& request);

}  // namespace graft::cpu
