#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// s ← α s + (1-α) g²;  centred: m ← α m + (1-α) g and s - m² in the place of s;  v ← μ v + g/(√s + ε);  w ← w - η v.
/// [Tieleman & Hinton 2012; centred: Graves 2013]
template <bool centred>
struct RmsPropRule : RuleDefaults {
  static constexpr int kSlots = centred ? 3 : 2;
  static constexpr float kDefaultLr = 1e-3f;
  float alpha = 0.99f, epsilon = 1e-8f, mu = 0;
  GRAFT_DEVICE void move(float& w, float g, float root, float& v) const {
    v = mu * v + g / (root + epsilon);
    w -= lr * v;
  }
  GRAFT_DEVICE void operator()(float& w, float g, float& s, float& v) const {
    s = alpha * s + (1 - alpha) * g * g;
    move(w, g, std::sqrt(s), v);
  }
  GRAFT_DEVICE void operator()(float& w, float g, float& s, float& v, float& m) const {
    s = alpha * s + (1 - alpha) * g * g;
    m += (1 - alpha) * (g - m);
    move(w, g, std::sqrt(s - m * m), v);
  }
};

struct RmsProp {
  static constexpr ComponentText kText{
      "rmsprop", "a rate for each weight, by its recent gradients",
      "s ← α s + (1-α) g²; v ← μ v + g/(√s + ε); w ← w - η v  [Tieleman & Hinton 2012; centred: Graves 2013]"};
  struct Options {
    float alpha = 0.99f, epsilon = 1e-8f, momentum = 0;
    bool centred = false;
    void describe(SettingVisitor& visit) {
      visit("alpha", alpha, {.low = 0, .high = 0.999999, .help = "α, the part of the mean square that is kept"});
      visit("epsilon", epsilon, kEpsilon);
      visit("rms-momentum", momentum, kMu);
      visit("centred", centred, {.help = "divide by the deviation instead of the root mean square"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return o.centred ? use(RmsPropRule<true>{{}, o.alpha, o.epsilon, o.momentum})
                     : use(RmsPropRule<false>{{}, o.alpha, o.epsilon, o.momentum});
  }
};

}  // namespace graft::rules
