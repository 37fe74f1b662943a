#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// w ← w - η g.  [Robbins & Monro 1951]
struct Sgd : RuleDefaults {
  static constexpr int kSlots = 0;
  static constexpr float kDefaultLr = 0.1f;
  GRAFT_DEVICE void operator()(float& w, float g) const { w -= lr * g; }
};

/// The same with the gradient of the whole training set. [Cauchy 1847]
struct GradientDescent : Sgd {
  static constexpr float kDefaultLr = 0.2f;
  static constexpr bool kFullBatch = true;
};

template <typename Use>
auto sgd(const OptimizerOptions&, const Use& use) {
  return use(Sgd{});
}
template <typename Use>
auto gd(const OptimizerOptions&, const Use& use) {
  return use(GradientDescent{});
}

}  // namespace graft::rules
