#pragma once

#include "runtime/core/backend.h"

namespace graft::cpu::bf16 {

/// Whether any operand is bfloat16.
bool has_bf16(const KernelRequest& request);

/// A kernel for bfloat16 operands by way of float32 copies of them in scratch memory; `floats` makes the one that
/// works on those.
std::unique_ptr<Kernel> through_float(const KernelRequest& request, const Backend& floats);

}  // namespace graft::cpu::bf16
