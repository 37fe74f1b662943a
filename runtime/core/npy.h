#pragma once

#include <string>

#include "runtime/core/tensor.h"

namespace graft {

/// NumPy's .npy format, versions 1 to 3, little-endian and C order; float16 becomes float32. Throws Error on anything
/// else.
Tensor read_npy(const std::string& path);
/// The shape alone; the elements are not looked at.
Shape read_npy_shape(const std::string& path);
/// Version 1.0.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace graft
