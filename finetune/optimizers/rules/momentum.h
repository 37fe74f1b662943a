#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// v ← μ v - η (1-d) g;  w ← w + v, with d = 0 in the first step.  [Polyak 1964]. Equal to PyTorch's SGD with momentum
/// while η is constant; where it changes, the velocity keeps the rates it was made with.
struct Momentum : RuleDefaults {
  static constexpr ComponentText kText{"momentum", "gradient descent with a velocity",
                                       "v ← μ v - η (1-d) g; w ← w + v  [Polyak 1964]"};
  struct Options {
    float momentum = 0.9f, dampening = 0;
    void describe(SettingVisitor& visit) {
      visit("momentum", momentum, kMu);
      visit("dampening", dampening,
            {.low = 0,
             .high = 1,
             .help = "d, the part of the gradient that the velocity leaves out after the first step"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Momentum{{}, o.momentum, o.dampening});
  }
  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 0.01f;
  float mu = 0.9f, dampening = 0, part = 1;
  void prepare(int64_t step) { part = step > 1 ? 1 - dampening : 1.0f; }
  GRAFT_DEVICE void operator()(float& w, float g, float& v) const {
    v = mu * v - lr * part * g;
    w += v;
  }
};

}  // namespace graft::rules
