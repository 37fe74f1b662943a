#include <map>

#include "finetune/optimizers/optimizer.h"
#include "runtime/base/error.h"

namespace graft {
namespace {

const std::map<std::string, OptimizerPtr (*)(const OptimizerOptions&)>& registry() {
  static const std::map<std::string, OptimizerPtr (*)(const OptimizerOptions&)> table{{"sgd", make_sgd}, {"momentum", make_momentum}, {"adam", make_adam}};
  return table;
}

}  // namespace

OptimizerPtr make_optimizer(const std::string& name, const OptimizerOptions& options) {
  const auto it = registry().find(name);
  if (it != registry().end()) return it->second(options);
  std::string known;
  for (const std::string& k : optimizer_names()) known += " " + k;
  throw Error("unknown optimizer \"" + name + "\"", "known are" + known);
}

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : registry()) names.push_back(name);
  return names;
}

}  // namespace graft
