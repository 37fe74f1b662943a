#pragma once

#include "runtime/core/backend.h"

namespace graft {

/// What tests compute on: the processor, or what GRAFT_TEST_BACKEND names (emulated: the CUDA backend's kernels run by
/// the processor; cuda: a GPU). Throws Error for one that this machine does not have.
const Backend& test_backend();

}  // namespace graft
