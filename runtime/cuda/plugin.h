#pragma once

#include <string>

#include "runtime/backend.h"

namespace graft::cuda {

/// Raised whenever what crosses the border between program and plugin changes (Backend, Kernel, Operator and their kin).
inline constexpr int kPluginInterface = 1;

}  // namespace graft::cuda

/// Opens GPU `device`. `arithmetic`: fp32 or tf32. The caller owns the result, and `host` outlives it. Throws graft::Error.
extern "C" graft::Backend* graft_open_cuda(int interface, int device, const char* arithmetic, const graft::Backend* host, std::string* description);
