#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// s ← ρ s + (1-ρ) g²;  Δ = √(d + ε)/√(s + ε)·g;  d ← ρ d + (1-ρ) Δ²;  w ← w - η Δ.  [Zeiler 2012]
struct AdaDelta : RuleDefaults {
  static constexpr ComponentText kText{
      "adadelta", "a rate for each weight, of the size of its own past steps",
      "s ← ρ s + (1-ρ) g²; Δ = √(d + ε)/√(s + ε)·g; d ← ρ d + (1-ρ) Δ²; w ← w - η Δ  [Zeiler 2012]"};
  struct Options {
    float rho = 0.9f, epsilon = 1e-6f;
    void describe(SettingVisitor& visit) {
      visit("rho", rho, {.low = 0, .high = 0.999999, .help = "ρ, the part of both mean squares that is kept"});
      visit("epsilon", epsilon, kEpsilon);
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(AdaDelta{{}, o.rho, o.epsilon});
  }
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

}  // namespace graft::rules
