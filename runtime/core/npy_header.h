#pragma once

#include <iosfwd>
#include <string>

#include "runtime/core/tensor.h"

// What stands in front of the elements in NumPy's .npy format.

namespace graft {

struct NpyHeader {
  DType dtype;
  Shape shape;
};

/// Version 1.0, little-endian, C order.
std::string npy_header(DType dtype, const Shape& shape);
/// `code` as NumPy writes it: "<U12".
std::string npy_header(const std::string& code, const Shape& shape);

/// Leaves the stream where the elements begin. Throws Error for what graft does not read.
NpyHeader read_npy_header(std::istream& stream);

}  // namespace graft
