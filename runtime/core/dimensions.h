#pragma once

#include <cstdint>
#include <vector>

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

}  // namespace graft
