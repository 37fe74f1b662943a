#include "models/registry.h"

#include <map>

#include "models/small_resnet.h"
#include "runtime/base/error.h"

namespace graft {
namespace {

using Builder = Graph (*)(const ArchitectureOptions&);

const std::map<std::string, Builder>& registry() {
  static const std::map<std::string, Builder> table{{"graft-small", build_small_resnet}};
  return table;
}

}  // namespace

Graph build_architecture(const std::string& name, const ArchitectureOptions& options) {
  const auto it = registry().find(name);
  if (it != registry().end()) return it->second(options);
  std::string known;
  for (const std::string& k : architecture_names()) known += " " + k;
  throw Error("unknown architecture \"" + name + "\"", "known are" + known);
}

std::vector<std::string> architecture_names() {
  std::vector<std::string> names;
  for (const auto& [name, build] : registry()) names.push_back(name);
  return names;
}

}  // namespace graft
