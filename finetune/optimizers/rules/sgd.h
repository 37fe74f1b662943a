#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// w ← w - η g.  [Robbins & Monro 1951]
struct Sgd : RuleDefaults {
  static constexpr ComponentText kText{"sgd", "gradient descent", "w ← w - η g  [Robbins & Monro 1951]"};
  using Options = NoSettings;
  template <typename Use>
  static auto make(const Options&, const Use& use) {
    return use(Sgd{});
  }
  static constexpr int kSlots = 0;
  static constexpr float kDefaultLr = 0.1f;
  GRAFT_DEVICE void operator()(float& w, float g) const { w -= lr * g; }
};

/// The same with the gradient of the whole training set. [Cauchy 1847]
struct GradientDescent : Sgd {
  static constexpr ComponentText kText{"gd", "gradient descent, a step for the whole training set",
                                       "w ← w - η g  [Cauchy 1847]"};
  template <typename Use>
  static auto make(const Options&, const Use& use) {
    return use(GradientDescent{});
  }
  static constexpr float kDefaultLr = 0.2f;
  static constexpr bool kFullBatch = true;
};

}  // namespace graft::rules
