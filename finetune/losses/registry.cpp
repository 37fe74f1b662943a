#include "finetune/losses/loss.h"
#include "runtime/base/registry.h"

namespace graft {
namespace {

const Registry<LossPtr, const LossOptions&>& registry() {
  static const Registry<LossPtr, const LossOptions&> table("loss", {
                                                                       {"cross-entropy", make_cross_entropy},
                                                                       {"bce", make_binary_cross_entropy},
                                                                       {"hinge", make_hinge},
                                                                       {"squared-hinge", make_squared_hinge},
                                                                       {"binary-hinge", make_binary_hinge},
                                                                       {"squared-binary-hinge", make_squared_binary_hinge},
                                                                       {"mae", make_mean_absolute_error},
                                                                       {"mse", make_mean_squared_error},
                                                                       {"smooth-l1", make_smooth_l1},
                                                                       {"huber", make_huber},
                                                                       {"kl", make_kl_divergence},
                                                                       {"focal", make_focal},
                                                                       {"distillation", make_distillation},
                                                                   });
  return table;
}

}  // namespace

LossPtr make_loss(const std::string& name, const LossOptions& options) { return registry().make(name, options); }

std::vector<std::string> loss_names() { return registry().names(); }

}  // namespace graft
