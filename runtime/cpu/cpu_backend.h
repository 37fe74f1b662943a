#pragma once

#include "runtime/core/backend.h"

namespace graft {

/// The processor, through oneDNN and graft's own kernels. Lives as long as the program.
const Backend& cpu_backend();

}  // namespace graft
