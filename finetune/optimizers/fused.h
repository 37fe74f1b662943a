#pragma once

#include <array>

#include "finetune/optimizers/parts.h"
#include "finetune/optimizers/rules/rule.h"
#include "runtime/core/isa.h"

namespace graft {

/// Turns an update rule for one element into an Optimizer. A rule has kSlots, kDefaultLr and operator()(w, g, slots…)
/// const, where the slots are float references.
template <typename Rule>
class Fused final : public Optimizer {
 public:
  explicit Fused(Rule rule) : rule_(rule) {}
  int slots() const override { return Rule::kSlots; }
  float initial(int slot) const override { return rule_.initial(slot); }
  float default_lr() const override { return Rule::kDefaultLr; }
  float default_weight_decay() const override { return Rule::kDefaultDecay; }
  bool wants_full_batch() const override { return Rule::kFullBatch; }

  void step_on(std::span<const size_t> which, float lr, int64_t step, const std::vector<Parameter>& parameters,
               OptimizerState& state) override {
    rule_.prepare(step);
    for_each_part(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      const Parameter& parameter = parameters[p];
      Rule rule = rule_;
      rule.lr = lr * parameter.lr_scale;
      rule.decay = parameter.weight_decay;
      rule.bind();
      std::array<float*, 3> slot{};
      for (size_t s = 0; s < Rule::kSlots; ++s) slot[s] = state.of(p, s).data() + first;
      apply(rule, last - first, parameter.tensor->data<float>().data() + first, parameter.gradient + first,
            parameter.l1, slot[0], slot[1], slot[2]);
    });
  }

 private:
  static void apply(const Rule& rule, int64_t n, float* w, const float* g, float l1, float* a, float* b, float* c) {
    cpu::on_best_isa([=] {
      const float decay = Rule::kCoupled ? rule.decay : 0.0f;
      const float* const streams[] = {w, g, a, b, c};
      for (int64_t first = 0; first < n; first += kBlock) {
        for (int s = 0; s < 2 + Rule::kSlots; ++s) prefetch_block(streams[s] + first + kAhead);
        const int64_t last = std::min(n, first + kBlock);
#pragma omp simd
        for (int64_t i = first; i < last; ++i) rules::apply(rule, decay, l1, i, w, g, a, b, c);
      }
    });
  }
  Rule rule_;
};

template <typename Rule>
OptimizerPtr fused(Rule rule) {
  return std::make_unique<Fused<Rule>>(rule);
}

}  // namespace graft
