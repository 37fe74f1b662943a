#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²;  w ← w - η·m̂/(√v̂ + ε), m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ).  [Kingma & Ba 2015]
/// amsgrad: the largest v so far in the place of v [Reddi et al. 2018]. decoupled: w ← (1-ηλ)w first [Loshchilov &
/// Hutter 2019].
template <bool amsgrad, bool decoupled>
struct AdamRule : RuleDefaults {
  static constexpr int kSlots = amsgrad ? 3 : 2;
  static constexpr float kDefaultLr = 3e-3f, kDefaultDecay = decoupled ? 1e-2f : 1e-4f;
  static constexpr bool kCoupled = !decoupled;
  Moments moments;
  float epsilon = 1e-8f;
  double correction1 = 1;
  float root_correction = 1, rate = 0, keep = 1;
  void prepare(int64_t step) {
    correction1 = moments.correction1(step);
    root_correction = static_cast<float>(1 / std::sqrt(moments.correction2(step)));
  }
  void bind() {
    rate = static_cast<float>(static_cast<double>(lr) / correction1);
    keep = decoupled ? 1 - lr * decay : 1.0f;
  }
  GRAFT_DEVICE void operator()(float& w, float g, float& m, float& v) const {
    moments.add(g, m, v);
    w = keep * w - rate * m / (std::sqrt(v) * root_correction + epsilon);
  }
  GRAFT_DEVICE void operator()(float& w, float g, float& m, float& v, float& largest) const {
    moments.add(g, m, v);
    largest = largest > v ? largest : v;
    w = keep * w - rate * m / (std::sqrt(largest) * root_correction + epsilon);
  }
};

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999;  // 1 - β₂ in single precision would be off by 10⁻⁵
  float epsilon = 1e-8f;
  bool amsgrad = false;
  void describe(SettingVisitor& visit) {
    visit("beta1", beta1, kBeta1);
    visit("beta2", beta2, kBeta2);
    visit("epsilon", epsilon, kEpsilon);
    visit("amsgrad", amsgrad, {.help = "divide by the largest second moment so far [Reddi et al. 2018]"});
  }
};

struct Adam {
  static constexpr ComponentText kText{
      "adam", "steps of the mean gradient over its root mean square",
      "m ← β₁m + (1-β₁)g; v ← β₂v + (1-β₂)g²; w ← w - η·m̂/(√v̂ + ε)  [Kingma & Ba 2015]"};
  using Options = AdamOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return o.amsgrad ? use(AdamRule<true, false>{{}, {o.beta1, o.beta2}, o.epsilon})
                     : use(AdamRule<false, false>{{}, {o.beta1, o.beta2}, o.epsilon});
  }
};

struct AdamW {
  static constexpr ComponentText kText{"adamw", "adam with weight decay beside the gradient",
                                       "w ← (1-ηλ)w - η·m̂/(√v̂ + ε), m and v as adam's  [Loshchilov & Hutter 2019]"};
  using Options = AdamOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return o.amsgrad ? use(AdamRule<true, true>{{}, {o.beta1, o.beta2}, o.epsilon})
                     : use(AdamRule<false, true>{{}, {o.beta1, o.beta2}, o.epsilon});
  }
};

struct AmsGrad {
  static constexpr ComponentText kText{"amsgrad", "adam that divides by the largest second moment so far",
                                       "w ← w - η·m̂/(√max v̂ + ε)  [Reddi et al. 2018]"};
  struct Options {
    double beta1 = 0.9, beta2 = 0.999;
    float epsilon = 1e-8f;
    void describe(SettingVisitor& visit) {
      visit("beta1", beta1, kBeta1);
      visit("beta2", beta2, kBeta2);
      visit("epsilon", epsilon, kEpsilon);
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(AdamRule<true, false>{{}, {o.beta1, o.beta2}, o.epsilon});
  }
};

}  // namespace graft::rules
