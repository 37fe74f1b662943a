#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

struct ArchitectureOptions {
  int64_t classes = 0;  // 0: the architecture's published number
  uint64_t seed = 0;
  bool initialise = true;  // false leaves weights undefined: for counting and measuring
  bool auxiliary = false;  // with the heads that only train (GoogLeNet): further outputs of the graph

  int64_t classes_or(int64_t published) const { return classes > 0 ? classes : published; }
};

/// Architectures by their names on the command line.
using ArchitectureTable = std::map<std::string, std::function<Graph(const ArchitectureOptions&)>>;

/// Builds an architecture with freshly initialised weights. Throws Error for an unknown name.
Graph build_architecture(const std::string& name, const ArchitectureOptions& options);
std::vector<std::string> architecture_names();

/// What torchvision calls a parameter of an architecture (its state_dict's key); the name itself where both agree, or
/// where torchvision's is not known.
std::string torch_name(const std::string& architecture, const std::string& parameter);

/// Numbers that training changes: all float constants but the running statistics of batch norms.
int64_t parameter_count(const Graph& graph);

}  // namespace graft
