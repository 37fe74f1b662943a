#pragma once

#include <memory>

#include "runtime/core/backend.h"
#include "runtime/ops/gemm.h"

namespace graft::cpu {

/// True for products with so few results, each a long sum, that oneDNN divides the sums among threads: their last bits
/// would then depend on the number of threads (up to eight).
bool has_few_long_sums(int64_t rows, int64_t depth, int64_t columns);

/// A dense layer on one row, or with few long sums: as fast as its weights can be read, several rows of them side by
/// side and fetched ahead, where they lie. Each sum is one thread's. Null for what is not of that form.
std::unique_ptr<Kernel> vector_product(const Gemm& op, const KernelRequest& request);

}  // namespace graft::cpu
