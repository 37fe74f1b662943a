#include "finetune/optimizers/rules/lamb.h"

#include "finetune/optimizers/norms.h"
#include "runtime/core/isa.h"

namespace graft {
namespace {

void add_moments(int64_t n, const rules::Lamb& rule, float l1, const float* w, const float* g, float* m, float* v) {
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) rule.add(w[i], g[i], l1, m[i], v[i]);
  });
}

double squares_of(const rules::Lamb& rule, int64_t n, float decay, const float* w, const float* m, const float* v) {
  return cpu::on_best_isa([=] {
    return sum_of_terms(n, [&](int64_t i) {
      const auto r = static_cast<double>(rule.direction(w[i], m[i], v[i], decay));
      return r * r;
    });
  });
}

void move(const rules::Lamb& rule, int64_t n, float rate, float decay, float* w, const float* m, const float* v) {
  cpu::on_best_isa([=] {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) w[i] -= rate * rule.direction(w[i], m[i], v[i], decay);
  });
}

class Lamb final : public Optimizer {
 public:
  explicit Lamb(const rules::Lamb& rule) : rule_(rule) {}
  int slots() const override { return 2; }
  float default_lr() const override { return 0.05f; }
  float default_weight_decay() const override { return 1e-2f; }
  void step_on(std::span<const size_t> which, float lr, int64_t step, const std::vector<Parameter>& parameters,
               OptimizerState& state) override {
    rule_.prepare(step);
    const auto weights = [&](size_t p) { return parameters[p].tensor->data<float>().data(); };
    const auto slot = [&](size_t p, size_t s) { return state.of(p, s).data(); };
    for_each_part(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      add_moments(last - first, rule_, parameters[p].l1, weights(p) + first, parameters[p].gradient + first,
                  slot(p, 0) + first, slot(p, 1) + first);
    });
    const auto w_squares = sums_of_pieces(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      return sum_of_squares(weights(p) + first, last - first);
    });
    const auto r_squares = sums_of_pieces(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      return squares_of(rule_, last - first, parameters[p].weight_decay, weights(p) + first, slot(p, 0) + first,
                        slot(p, 1) + first);
    });
    for_each_part(parameters, which, [&](size_t p, int64_t first, int64_t last) {
      const double rate =
          static_cast<double>(lr * parameters[p].lr_scale) * rules::Lamb::ratio(w_squares[p], r_squares[p]);
      move(rule_, last - first, static_cast<float>(rate), parameters[p].weight_decay, weights(p) + first,
           slot(p, 0) + first, slot(p, 1) + first);
    });
  }

 private:
  rules::Lamb rule_;
};

}  // namespace

OptimizerPtr rules::Lamb::make(const Options& options) { return std::make_unique<graft::Lamb>(rules::Lamb(options)); }

}  // namespace graft
