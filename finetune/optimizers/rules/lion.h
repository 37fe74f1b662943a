#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// c = β₁m + (1-β₁)g;  w ← (1-ηλ)w - η·sign(c);  m ← β₂m + (1-β₂)g, with sign(0) = 0.  [Chen et al. 2023, alg. 2]
struct Lion : RuleDefaults {
  static constexpr ComponentText kText{
      "lion", "steps of one size along the sign of a mean gradient",
      "c = β₁m + (1-β₁)g; w ← (1-ηλ)w - η·sign(c); m ← β₂m + (1-β₂)g  [Chen et al. 2023, alg. 2]"};
  struct Options {
    double beta1 = 0.9, beta2 = 0.99;
    void describe(SettingVisitor& visit) {
      visit("beta1", beta1, {.low = 0, .high = 0.999999, .help = "β₁, the part of m in the direction"});
      visit("beta2", beta2, {.low = 0, .high = 0.9999999, .help = "β₂, the part of m that is kept"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Lion{{}, static_cast<float>(o.beta1), static_cast<float>(1 - o.beta1), static_cast<float>(1 - o.beta2)});
  }

  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 3e-4f, kDefaultDecay = 1e-1f;  // §4: a tenth of adamw's rate, ten times its decay
  static constexpr bool kCoupled = false;
  float keep1 = 0.9f, take1 = 0.1f, take2 = 0.01f;  // β₁, 1-β₁, 1-β₂
  float keep = 1;                                   // 1-ηλ
  void bind() { keep = 1 - lr * decay; }
  GRAFT_DEVICE void operator()(float& w, float g, float& m) const {
    const float c = keep1 * m + take1 * g;
    w = keep * w - (c > 0 ? lr : c < 0 ? -lr : 0.0f);
    m += take2 * (g - m);
  }
};

}  // namespace graft::rules
