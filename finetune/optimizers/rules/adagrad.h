#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// s ← s + g²;  w ← w - η' g/(√s + ε), η' = η/(1 + (t-1)·decay).  [Duchi, Hazan & Singer 2011]
struct AdaGrad : RuleDefaults {
  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 0.02f;
  float epsilon = 1e-10f, lr_decay = 0, start = 0;
  double slower = 1;
  float initial(int) const { return start; }
  void prepare(int64_t step) { slower = 1 + static_cast<double>(step - 1) * static_cast<double>(lr_decay); }
  void bind() { lr = static_cast<float>(static_cast<double>(lr) / slower); }
  GRAFT_DEVICE void operator()(float& w, float g, float& s) const {
    s += g * g;
    w -= lr * (g / (std::sqrt(s) + epsilon));
  }
};

template <typename Use>
auto adagrad(const OptimizerOptions& o, const Use& use) {
  return use(AdaGrad{{}, epsilon_or(o, 1e-10f), o.lr_decay, o.initial_accumulator});
}

}  // namespace graft::rules
