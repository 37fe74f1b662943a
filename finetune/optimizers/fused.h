#pragma once

#include <array>
#include <cmath>

#include "finetune/optimizers/parts.h"

namespace graft {

/// What rules have unless they say otherwise.
struct RuleDefaults {
  static constexpr float kDefaultDecay = 1e-4f;
  static constexpr bool kCoupled = true;      // weight decay is added to the gradient; else the rule applies `decay` itself
  static constexpr bool kFullBatch = false;
  float lr = 0, decay = 0;                    // of the parameter at hand
  float initial(int) const { return 0; }
  void prepare(int64_t /*step*/) {}           // once a step
  void bind() {}                              // once a parameter, with lr and decay set
};

/// Turns an update rule for one element into an Optimizer. A rule has kSlots, kDefaultLr and operator()(w, g, slots…) const, where the
/// slots are float references.
template <typename Rule>
class Fused final : public Optimizer {
 public:
  explicit Fused(Rule rule) : rule_(rule) {}
  int slots() const override { return Rule::kSlots; }
  float initial(int slot) const override { return rule_.initial(slot); }
  float default_lr() const override { return Rule::kDefaultLr; }
  float default_weight_decay() const override { return Rule::kDefaultDecay; }
  bool wants_full_batch() const override { return Rule::kFullBatch; }

  void step(float lr, int64_t step, const std::vector<Parameter>& parameters, OptimizerState& state) override {
    rule_.prepare(step);
    for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
      const Parameter& parameter = parameters[p];
      Rule rule = rule_;
      rule.lr = lr * parameter.lr_scale;
      rule.decay = parameter.weight_decay;
      rule.bind();
      std::array<float*, 3> slot{};
      for (size_t s = 0; s < Rule::kSlots; ++s) slot[s] = state.of(p, s).data() + first;
      apply(rule, last - first, parameter.tensor->data<float>().data() + first, parameter.gradient + first, parameter.l1, slot[0], slot[1], slot[2]);
    });
  }

 private:
  GRAFT_VECTOR_CLONES static void apply(const Rule rule, int64_t n, float* __restrict w, const float* __restrict g, float l1, float* __restrict a, float* __restrict b, float* __restrict c) {
    const float decay = Rule::kCoupled ? rule.decay : 0.0f;
    const float* const streams[] = {w, g, a, b, c};
    for (int64_t first = 0; first < n; first += kBlock) {
      for (int s = 0; s < 2 + Rule::kSlots; ++s) prefetch_block(streams[s] + first + kAhead);
      const int64_t last = std::min(n, first + kBlock);
#pragma omp simd
      for (int64_t i = first; i < last; ++i) {
        const float sign = w[i] > 0 ? 1.0f : w[i] < 0 ? -1.0f : 0.0f;
        const float gradient = g[i] + decay * w[i] + l1 * sign;
        if constexpr (Rule::kSlots == 0) rule(w[i], gradient);
        else if constexpr (Rule::kSlots == 1) rule(w[i], gradient, a[i]);
        else if constexpr (Rule::kSlots == 2) rule(w[i], gradient, a[i], b[i]);
        else rule(w[i], gradient, a[i], b[i], c[i]);
      }
    }
  }
  Rule rule_;
};

template <typename Rule>
OptimizerPtr fused(Rule rule) {
  return std::make_unique<Fused<Rule>>(rule);
}

/// The two running means of Adam and its kin: m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g².
struct Moments {
  double beta1 = 0.9, beta2 = 0.999;
  float take1 = 0.1f, keep2 = 0.999f, take2 = 1e-3f;
  Moments(double b1, double b2) : beta1(b1), beta2(b2), take1(static_cast<float>(1 - b1)), keep2(static_cast<float>(b2)), take2(static_cast<float>(1 - b2)) {}
  void add(float g, float& m, float& v) const {
    m += take1 * (g - m);
    v = keep2 * v + take2 * g * g;
  }
  /// 1 - βᵗ
  double correction1(int64_t t) const { return 1 - std::pow(beta1, static_cast<double>(t)); }
  double correction2(int64_t t) const { return 1 - std::pow(beta2, static_cast<double>(t)); }
};

inline float epsilon_or(const OptimizerOptions& o, float own) { return o.epsilon > 0 ? o.epsilon : own; }

}  // namespace graft
