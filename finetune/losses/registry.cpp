#include "finetune/losses/loss.h"
#include "runtime/base/registry.h"

namespace graft {
namespace {

const Registry<LossPtr, const LossOptions&>& registry() {
  static const Registry<LossPtr, const LossOptions&> table("loss", {
                                                                       {"cross-entropy", [](const LossOptions& o) { return make_cross_entropy(o.label_smoothing); }},
                                                                       {"hinge", [](const LossOptions& o) { return make_multiclass_hinge(o.margin); }},
                                                                   });
  return table;
}

}  // namespace

LossPtr make_loss(const std::string& name, const LossOptions& options) { return registry().make(name, options); }

std::vector<std::string> loss_names() { return registry().names(); }

}  // namespace graft
