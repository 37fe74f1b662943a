#pragma once

#include <omp.h>

#include <array>

#include "finetune/optimizers/optimizer.h"

namespace graft {

/// Turns an update rule for one element into an Optimizer: one pass over all parameters, split among threads. A rule has
/// kSlots, kDefaultLr, prepare(lr, step) and operator()(w, g, slots…) const, where the slots are float references.
template <typename Rule>
class Fused final : public Optimizer {
 public:
  explicit Fused(Rule rule) : rule_(rule) {}
  int slots() const override { return Rule::kSlots; }
  float default_lr() const override { return Rule::kDefaultLr; }

  void step(float lr, int64_t step, const std::vector<Parameter>& parameters, std::vector<std::vector<Tensor>>& state) const override {
    for (size_t p = 0; p < parameters.size(); ++p) {
      const Parameter& parameter = parameters[p];
      Rule rule = rule_;
      rule.prepare(lr * parameter.lr_scale, step);
      float* w = parameter.tensor->data<float>().data();
      std::array<float*, Rule::kSlots + 1> slot{};
      for (size_t s = 0; s < Rule::kSlots; ++s) slot[s] = state[p][s].template data<float>().data();
      apply(rule, parameter.tensor->elements(), w, parameter.gradient, parameter.weight_decay, slot);
    }
  }

 private:
  static void apply(const Rule& rule, int64_t n, float* w, const float* g, float decay, const std::array<float*, Rule::kSlots + 1>& slot) {
    float *a = slot[0], *b = Rule::kSlots > 1 ? slot[1] : nullptr;
#pragma omp parallel for simd schedule(static) if (n > 65536)
    for (int64_t i = 0; i < n; ++i) {
      const float gradient = g[i] + decay * w[i];
      if constexpr (Rule::kSlots == 0) rule(w[i], gradient);
      else if constexpr (Rule::kSlots == 1) rule(w[i], gradient, a[i]);
      else rule(w[i], gradient, a[i], b[i]);
    }
  }
  Rule rule_;
};

}  // namespace graft
