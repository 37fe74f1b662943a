#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// s ← α s + (1-α) g²;  centred: m ← α m + (1-α) g and s - m² in the place of s;  v ← μ v + g/(√s + ε);  w ← w - η v.
/// [Tieleman & Hinton 2012; centred: Graves 2013]
template <bool centred>
struct RmsProp : RuleDefaults {
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

template <typename Use>
auto rmsprop(const OptimizerOptions& o, const Use& use) {
  const float epsilon = epsilon_or(o, 1e-8f);
  return o.centred ? use(RmsProp<true>{{}, o.alpha, epsilon, o.rms_momentum})
                   : use(RmsProp<false>{{}, o.alpha, epsilon, o.rms_momentum});
}

}  // namespace graft::rules
