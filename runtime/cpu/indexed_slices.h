#pragma once

#include <memory>

#include "runtime/core/backend.h"

namespace graft::cpu {

/// What GatherND and ScatterND do where the indices are read when the kernel runs. The last dimension of indices counts
/// the coordinates of one place in data, behind the first `batch_dims` dimensions, which run side by side. Running
/// throws Error for a coordinate that lies outside; negative ones count from the end.

/// Slices of data. Inputs data, indices.
std::unique_ptr<Kernel> make_slice_gather(const Operand& data, const Operand& indices, const Operand& slices,
                                          int64_t batch_dims);
/// Zeros to which slices (float32) are added. Inputs slices, indices.
std::unique_ptr<Kernel> make_slice_add(const Operand& slices, const Operand& indices, const Operand& data,
                                       int64_t batch_dims);
/// Data in which slices stand in place of what is there, or are added to it (float32). Inputs data, indices, slices.
std::unique_ptr<Kernel> make_slice_scatter(const Operand& data, const Operand& indices, const Operand& slices,
                                           const Operand& result, bool adds);

/// dL/d slices of that (not added) from dL/d result: zero for those that another one of the same place follows. Inputs
/// dL/d result (float32), indices.
std::unique_ptr<Kernel> make_slice_kept(const Operand& dy, const Operand& indices, const Operand& slices);

}  // namespace graft::cpu
