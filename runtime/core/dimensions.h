#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/error.h"

namespace graft {

/// For each dimension of a tensor, whether it is meant.
inline std::vector<bool> only_dimension(int64_t rank, int64_t axis) {
  std::vector<bool> meant(static_cast<size_t>(rank), false);
  meant[static_cast<size_t>(axis)] = true;
  return meant;
}

inline std::vector<bool> from_dimension(int64_t rank, int64_t first) {
  std::vector<bool> meant(static_cast<size_t>(rank), false);
  for (int64_t i = first; i < rank; ++i) meant[static_cast<size_t>(i)] = true;
  return meant;
}

/// An index along a dimension, of which negative ones count from the end. Throws Error for one that lies outside.
inline int64_t resolve_index(int64_t index, int64_t extent) {
  if (index < -extent || index >= extent)
    throw Error("index " + std::to_string(index) + " lies outside a dimension of " + std::to_string(extent));
  return index < 0 ? index + extent : index;
}

}  // namespace graft
