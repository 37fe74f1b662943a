#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/ops/gemm.h"

namespace graft::cpu {

/// A dense layer on one row: as fast as its weights can be read, several rows of them side by side and fetched ahead,
/// where they lie. Null for what is not of that form.
std::unique_ptr<Kernel> vector_product(const Gemm& op, const KernelRequest& request);

}  // namespace graft::cpu
