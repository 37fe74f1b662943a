#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// Adam with Nesterov's momentum, which warms up: µₜ = β₁(1 - ½·0.96^(tψ)), Πₜ = µ₁…µₜ;
/// w ← w - η (1-µₜ)/(1-Πₜ)·g/d - η µₜ₊₁/(1-Πₜ₊₁)·m/d with d = √(v/(1-β₂ᵗ)) + ε.  [Dozat 2016]
struct NAdam : RuleDefaults {
  static constexpr ComponentText kText{
      "nadam", "Adam with Nesterov's momentum",
      "w ← w - η (1-µₜ)/(1-Πₜ)·g/d - η µₜ₊₁/(1-Πₜ₊₁)·m/d, µₜ = β₁(1 - ½·0.96^(tψ))  [Dozat 2016]"};
  struct Options {
    double beta1 = 0.9, beta2 = 0.999;
    float epsilon = 1e-8f;
    double momentum_decay = 4e-3;
    bool decoupled = false;
    void describe(SettingVisitor& visit) {
      visit("beta1", beta1, kBeta1);
      visit("beta2", beta2, kBeta2);
      visit("epsilon", epsilon, kEpsilon);
      visit("momentum-decay", momentum_decay, {.low = 0, .high = 1, .help = "ψ, how fast the momentum warms up"});
      visit("decoupled", decoupled, {.help = "weight decay beside the gradient, as adamw has it"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(NAdam{{}, {o.beta1, o.beta2}, o.epsilon, o.momentum_decay, o.decoupled});
  }
  static constexpr int kSlots = 2;
  static constexpr float kDefaultLr = 3e-3f;
  static constexpr bool kCoupled = false;
  Moments moments;
  float epsilon = 1e-8f;
  double psi = 4e-3;
  bool decoupled = false;
  int64_t last_step = 0;
  double product = 1, gradient_part = 0, momentum_part = 0, correction2 = 1;
  float gradient_rate = 0, momentum_rate = 0, inverse_correction = 1, keep = 1, coupled_decay = 0;

  double mu(int64_t t) const { return moments.beta1 * (1 - 0.5 * std::pow(0.96, static_cast<double>(t) * psi)); }
  void prepare(int64_t step) {
    if (step == last_step) return;  // an update in several calls
    if (step != last_step + 1) {    // a resumed run: the product follows from the step alone
      product = 1;
      for (int64_t t = 1; t < step; ++t) product *= mu(t);
    }
    last_step = step;
    product *= mu(step);
    gradient_part = (1 - mu(step)) / (1 - product);
    momentum_part = mu(step + 1) / (1 - product * mu(step + 1));
    correction2 = moments.correction2(step);
  }
  void bind() {
    gradient_rate = static_cast<float>(static_cast<double>(lr) * gradient_part);
    momentum_rate = static_cast<float>(static_cast<double>(lr) * momentum_part);
    inverse_correction = static_cast<float>(1 / correction2);
    keep = decoupled ? 1 - lr * decay : 1.0f;
    coupled_decay = decoupled ? 0.0f : decay;
  }
  GRAFT_DEVICE void operator()(float& w, float gradient, float& m, float& v) const {
    const float g = gradient + coupled_decay * w;
    moments.add(g, m, v);
    const float d = std::sqrt(v * inverse_correction) + epsilon;
    w = keep * w - gradient_rate * (g / d) - momentum_rate * (m / d);
  }
};

}  // namespace graft::rules
