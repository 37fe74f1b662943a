#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// v ← μ v + g;  w ← w - η (g + μ v).  [Nesterov 1983, as Sutskever et al. 2013, §2]; equal to PyTorch's SGD with
/// nesterov.
struct Nesterov : RuleDefaults {
  static constexpr ComponentText kText{"nesterov", "momentum that looks ahead",
                                       "v ← μ v + g; w ← w - η (g + μ v)  [Nesterov 1983; Sutskever et al. 2013, §2]"};
  using Options = MomentumOnly;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Nesterov{{}, o.momentum});
  }
  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 0.01f;
  float mu = 0.9f;
  GRAFT_DEVICE void operator()(float& w, float g, float& v) const {
    v = mu * v + g;
    w -= lr * (g + mu * v);
  }
};

}  // namespace graft::rules
