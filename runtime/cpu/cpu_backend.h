#pragma once

#include "runtime/core/backend.h"

namespace graft {

/// The processor, through oneDNN and graft's own kernels. Lives as long as the program.
const Backend& cpu_backend();

/// The same with activations in bfloat16; null where the processor does not multiply bfloat16 numbers.
const Backend* bf16_cpu_backend();

}  // namespace graft
