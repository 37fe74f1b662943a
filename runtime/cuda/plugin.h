#pragma once

#include <string>

#include "runtime/core/backend.h"

namespace graft::cuda {

/// Raised whenever what crosses the border between program and plugin changes (Backend, Kernel, Operator and their
/// kin).
inline constexpr int kPluginInterface = 1;

}  // namespace graft::cuda

/// Opens GPU `device`. `precision`: fp32, tf32 (of float products), bf16 or fp16 (of activations). The caller owns the
/// result, and `host` outlives it. Throws graft::Error.
extern "C" graft::Backend* graft_open_cuda(int interface, int device, const char* precision, const graft::Backend* host,
                                           std::string* description);
