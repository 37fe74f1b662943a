#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²;  w ← w - η·m̂/(√v̂ + ε), m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ).  [Kingma & Ba 2015]
/// amsgrad: the largest v so far in the place of v [Reddi et al. 2018]. decoupled: w ← (1-ηλ)w first [Loshchilov &
/// Hutter 2019].
template <bool amsgrad, bool decoupled>
struct Adam : RuleDefaults {
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

template <bool amsgrad, bool decoupled>
Adam<amsgrad, decoupled> adam_rule(const OptimizerOptions& o) {
  return {{}, {o.beta1, o.beta2}, epsilon_or(o, 1e-8f)};
}

template <typename Use>
auto adam(const OptimizerOptions& o, const Use& use) {
  return o.amsgrad ? use(adam_rule<true, false>(o)) : use(adam_rule<false, false>(o));
}
template <typename Use>
auto adamw(const OptimizerOptions& o, const Use& use) {
  return o.amsgrad ? use(adam_rule<true, true>(o)) : use(adam_rule<false, true>(o));
}
template <typename Use>
auto amsgrad(const OptimizerOptions& o, const Use& use) {
  return use(adam_rule<true, false>(o));
}

}  // namespace graft::rules
