#include "models/registry.h"

#include "models/small_resnet.h"
#include "runtime/base/registry.h"

namespace graft {
namespace {

const Registry<Graph, const ArchitectureOptions&>& registry() {
  static const Registry<Graph, const ArchitectureOptions&> table("architecture", {{"graft-small", build_small_resnet}});
  return table;
}

}  // namespace

Graph build_architecture(const std::string& name, const ArchitectureOptions& options) { return registry().make(name, options); }

std::vector<std::string> architecture_names() { return registry().names(); }

}  // namespace graft
