#pragma once

#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// s ← s + g²;  w ← w - η' g/(√s + ε), η' = η/(1 + (t-1)·decay).  [Duchi, Hazan & Singer 2011]
struct AdaGrad : RuleDefaults {
  static constexpr ComponentText kText{
      "adagrad", "a rate for each weight, which falls with all gradients so far",
      "s ← s + g²; w ← w - η g/((1 + (t-1)·decay)(√s + ε))  [Duchi, Hazan & Singer 2011]"};
  struct Options {
    float lr_decay = 0, initial_accumulator = 0, epsilon = 1e-10f;
    void describe(SettingVisitor& visit) {
      visit("lr-decay", lr_decay,
            {.low = 0, .high = 1000, .help = "how fast the rate falls besides: η/(1 + (t-1)·decay)"});
      visit("initial-accumulator", initial_accumulator, {.low = 0, .high = 1e6, .help = "what s begins with"});
      visit("epsilon", epsilon, kEpsilon);
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(AdaGrad{{}, o.epsilon, o.lr_decay, o.initial_accumulator});
  }
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

}  // namespace graft::rules
