#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// v ← μ v - λ η w - η g;  w ← w + v: the decay goes into the velocity, scaled by the rate.  [Krizhevsky et al. 2012,
/// §5]
struct AlexNet : RuleDefaults {
  static constexpr ComponentText kText{"alexnet", "momentum whose decay goes through the velocity",
                                       "v ← μ v - λ η w - η g; w ← w + v  [Krizhevsky et al. 2012, §5]"};
  using Options = MomentumOnly;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(AlexNet{{}, o.momentum});
  }
  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 0.01f, kDefaultDecay = 5e-4f;
  static constexpr bool kCoupled = false;
  float mu = 0.9f;
  GRAFT_DEVICE void operator()(float& w, float g, float& v) const {
    v = mu * v - decay * lr * w - lr * g;
    w += v;
  }
};

}  // namespace graft::rules
