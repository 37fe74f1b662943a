#pragma once

#include <memory>

#include "runtime/core/backend.h"

namespace graft::cpu {

/// Elements of data that indices name along one dimension, the indices being read when the kernel runs. All strides
/// are along the dimensions of the result, in elements; 0 where an operand does not move.
struct IndexedElements {
  Shape shape;  // of the result
  Strides result, indices, data;
  DType index_dtype = DType::i64;  // or i32
  int64_t extent = 0, step = 0;    // of the data along the dimension that the indices count
};

/// Of operands in which result and indices have one shape, and data stand still along an axis, where the indices count.
IndexedElements elements_along(int64_t axis, const Operand& result, const Operand& indices, const Operand& data);

/// y = data[indices]. Inputs data, indices. Running it throws Error for an index that lies outside; negative ones count
/// from the end.
std::unique_ptr<Kernel> make_indexed_gather(const IndexedElements& elements, DType dtype);

/// dx (of `data_elements` elements): zeros to which each element of dy (float32, the "result") is added where it was
/// taken from. Inputs dy, indices.
std::unique_ptr<Kernel> make_indexed_add(const IndexedElements& elements, int64_t data_elements);

/// Data (as `data` lies) copied to `result`, with elements of updates, the "result" of `elements`, in place of those
/// that the indices name, or added to them (float32). Inputs data, indices, updates.
std::unique_ptr<Kernel> make_indexed_scatter(const IndexedElements& elements, const Operand& data,
                                             const Operand& result, bool adds);

/// dL/d updates of that (not added) from dL/d result, which lies as "data" do: zero for those that another one of the
/// same place follows. Inputs dL/d result (float32), indices.
std::unique_ptr<Kernel> make_indexed_kept(const IndexedElements& elements, int64_t data_elements);

}  // namespace graft::cpu
