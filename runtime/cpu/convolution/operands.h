#pragma once

#include "runtime/core/backend.h"

namespace graft::cpu {

inline bool is_channels_last(const Operand& operand) { return operand.strides == channels_last_strides(operand.shape); }

/// Of all pictures of a batch.
inline int64_t pixels(const Operand& operand) { return operand.shape[0] * operand.shape[2] * operand.shape[3]; }

/// What own kernels need of a convolution's pictures: channels-last, channels in whole vectors, one group.
inline bool has_whole_vectors(int64_t groups, const Operand& x, const Operand& y) {
  return groups == 1 && x.shape[1] % 16 == 0 && y.shape[1] % 16 == 0 && is_channels_last(x) && is_channels_last(y);
}

}  // namespace graft::cpu
