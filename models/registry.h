#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/graph.h"

namespace graft {

struct ArchitectureOptions {
  int64_t classes = 0;  // 0: the architecture's published number
  uint64_t seed = 0;
};

/// Builds an architecture with freshly initialised weights, by its name on the command line. Throws Error for an unknown one.
Graph build_architecture(const std::string& name, const ArchitectureOptions& options);
std::vector<std::string> architecture_names();

}  // namespace graft
