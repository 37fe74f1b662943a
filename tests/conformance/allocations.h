#pragma once

#include <cstdint>

namespace graft::conformance {

/// How often any thread called operator new so far, oneDNN's own calls aside. This program replaces the global operator
/// new to count.
int64_t allocations();

}  // namespace graft::conformance
