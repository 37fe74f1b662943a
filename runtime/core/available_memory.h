#pragma once

#include <cstdint>

namespace graft {

/// Bytes that a program may still take without others being swapped out: MemAvailable, or what the control group has
/// left where that is less; 0 where neither is known.
uint64_t available_memory();

}  // namespace graft
