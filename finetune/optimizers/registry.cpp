#include "finetune/optimizers/optimizer.h"
#include "runtime/base/registry.h"

namespace graft {
namespace {

const Registry<OptimizerPtr, const OptimizerOptions&>& registry() {
  static const Registry<OptimizerPtr, const OptimizerOptions&> table("optimizer", {{"sgd", make_sgd}, {"momentum", make_momentum}, {"adam", make_adam}});
  return table;
}

}  // namespace

OptimizerPtr make_optimizer(const std::string& name, const OptimizerOptions& options) { return registry().make(name, options); }

std::vector<std::string> optimizer_names() { return registry().names(); }

}  // namespace graft
