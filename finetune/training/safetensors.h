#pragma once

#include <map>
#include <string>

#include "runtime/core/tensor.h"

namespace graft {

/// A file in the safetensors format: an 8-byte length, a JSON header, raw data.
struct Safetensors {
  std::map<std::string, Tensor> tensors;        // half types as float32
  std::map<std::string, std::string> metadata;  // `__metadata__`
};

/// Throws Error (not_found, corrupt_file) where the file is missing or its header, sizes or offsets do not fit, and
/// (unsupported) for element types beyond F64, F32, F16, BF16, I64 and I32.
Safetensors read_safetensors(const std::string& path);

}  // namespace graft
