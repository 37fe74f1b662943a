#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// s ← ρ s + (1-ρ) g²;  Δ = √(d + ε)/√(s + ε)·g;  d ← ρ d + (1-ρ) Δ²;  w ← w - η Δ.  [Zeiler 2012]
struct AdaDelta : RuleDefaults {
  static constexpr int kSlots = 2;
  static constexpr float kDefaultLr = 1.0f;
  float rho = 0.9f, epsilon = 1e-6f;
  GRAFT_DEVICE void operator()(float& w, float g, float& s, float& d) const {
    s = rho * s + (1 - rho) * g * g;
    const float delta = std::sqrt(d + epsilon) / std::sqrt(s + epsilon) * g;
    d = rho * d + (1 - rho) * delta * delta;
    w -= lr * delta;
  }
};

template <typename Use>
auto adadelta(const OptimizerOptions& o, const Use& use) {
  return use(AdaDelta{{}, o.rho, epsilon_or(o, 1e-6f)});
}

}  // namespace graft::rules
