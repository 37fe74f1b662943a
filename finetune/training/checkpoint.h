#pragma once

#include <map>
#include <string>

#include "runtime/core/tensor.h"

namespace graft {

/// Named tensors and one JSON text, stored in the safetensors format (8-byte length, JSON header, raw data), so that
/// other programs can read it. The text travels as `__metadata__.state`.
struct Checkpoint {
  std::map<std::string, Tensor> tensors;
  std::string state;
};

/// Written beside and renamed: a kill at any moment leaves the old checkpoint or the new one. Throws Error.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);
/// Throws Error when the file is not what write_checkpoint wrote (sizes and offsets are checked).
Checkpoint read_checkpoint(const std::string& path);

}  // namespace graft
