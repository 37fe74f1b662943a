#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// Adam whose second moment is used only once enough gradients went into it: with ρ∞ = 2/(1-β₂) - 1 and
/// ρₜ = ρ∞ - 2tβ₂ᵗ/(1-β₂ᵗ), w ← w - η m̂ r √(1-β₂ᵗ)/(√v + ε) where ρₜ > 5, else w ← w - η m̂;
/// r² = (ρₜ-4)(ρₜ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρₜ).  [Liu et al. 2020]
struct RAdam : RuleDefaults {
  static constexpr ComponentText kText{
      "radam", "Adam that waits until its second moment can be trusted",
      "w ← w - η m̂ r √(1-β₂ᵗ)/(√v + ε) where ρₜ > 5, else w ← w - η m̂  [Liu et al. 2020]"};
  struct Options {
    double beta1 = 0.9, beta2 = 0.999;
    float epsilon = 1e-8f;
    bool decoupled = false;
    void describe(SettingVisitor& visit) {
      visit("beta1", beta1, kBeta1);
      visit("beta2", beta2, kBeta2);
      visit("epsilon", epsilon, kEpsilon);
      visit("decoupled", decoupled, {.help = "weight decay beside the gradient, as adamw has it"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(RAdam{{}, {o.beta1, o.beta2}, o.epsilon, o.decoupled});
  }
  static constexpr int kSlots = 2;
  static constexpr float kDefaultLr = 0.02f;
  static constexpr bool kCoupled = false;
  Moments moments;
  float epsilon = 1e-8f;
  bool decoupled = false;
  double correction1 = 1, rectified = 0;  // rectified: r·√(1-β₂ᵗ), 0 where the second moment is not used
  float rate = 0, keep = 1, coupled_decay = 0, plain = 0, adaptive = 0;
  void prepare(int64_t step) {
    const double t = static_cast<double>(step), b2 = moments.beta2, power = std::pow(b2, t);
    const double limit = 2 / (1 - b2) - 1, length = limit - 2 * t * power / (1 - power);
    correction1 = moments.correction1(step);
    rectified = length > 5 ? std::sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)) *
                                 std::sqrt(1 - power)
                           : 0;
  }
  void bind() {
    const double whole = static_cast<double>(lr) / correction1;
    plain = rectified > 0 ? 0.0f : static_cast<float>(whole);
    adaptive = static_cast<float>(whole * rectified);
    keep = decoupled ? 1 - lr * decay : 1.0f;
    coupled_decay = decoupled ? 0.0f : decay;
  }
  GRAFT_DEVICE void operator()(float& w, float gradient, float& m, float& v) const {
    const float g = gradient + coupled_decay * w;
    moments.add(g, m, v);
    w = keep * w - m * (plain + adaptive / (std::sqrt(v) + epsilon));
  }
};

}  // namespace graft::rules
