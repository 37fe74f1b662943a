#pragma once

#include <cstdint>

namespace graft {

/// Indices first … last-1.
struct IndexRange {
  int64_t first, last;
  int64_t size() const { return last - first; }
};

}  // namespace graft
