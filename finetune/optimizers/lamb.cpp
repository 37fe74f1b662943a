#include <cmath>

#include "finetune/optimizers/rules/rule.h"
#include "finetune/optimizers/norms.h"

namespace graft {
namespace {

struct Direction {
  float correction1, correction2, epsilon, decay;
  float operator()(float w, float m, float v) const { return m * correction1 / (std::sqrt(v * correction2) + epsilon) + decay * w; }
};

GRAFT_VECTOR_CLONES void add_moments(int64_t n, const rules::Moments moments, float l1, const float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float sign = w[i] > 0 ? 1.0f : w[i] < 0 ? -1.0f : 0.0f;
    moments.add(g[i] + l1 * sign, m[i], v[i]);
  }
}

GRAFT_VECTOR_CLONES double squares_of(const Direction direction, int64_t n, const float* w, const float* m, const float* v) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const auto r = static_cast<double>(direction(w[i], m[i], v[i]));
    sum += r * r;
  }
  return sum;
}

GRAFT_VECTOR_CLONES void move(const Direction direction, int64_t n, float rate, float* __restrict w, const float* __restrict m, const float* __restrict v) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) w[i] -= rate * direction(w[i], m[i], v[i]);
}

/// Adam's direction, in each tensor as long as its weights: r = m̂/(√v̂ + ε) + λw;  w ← w - η‖w‖/‖r‖·r (‖w‖ or ‖r‖ zero: factor 1).
/// [You et al. 2020, alg. 2]
class Lamb final : public Optimizer {
 public:
  Lamb(const rules::Moments& moments, float epsilon) : moments_(moments), epsilon_(epsilon) {}
  int slots() const override { return 2; }
  float default_lr() const override { return 0.05f; }
  float default_weight_decay() const override { return 1e-2f; }
  void step(float lr, int64_t step, const std::vector<Parameter>& parameters, OptimizerState& state) override {
    const auto weights = [&](size_t p) { return parameters[p].tensor->data<float>().data(); };
    const auto direction = [&](size_t p) {
      return Direction{static_cast<float>(1 / moments_.correction1(step)), static_cast<float>(1 / moments_.correction2(step)), epsilon_, parameters[p].weight_decay};
    };
    for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
      add_moments(last - first, moments_, parameters[p].l1, weights(p) + first, parameters[p].gradient + first, state.of(p, 0).data() + first, state.of(p, 1).data() + first);
    });
    const auto w_squares = sums_of_pieces(parameters, [&](size_t p, int64_t first, int64_t last) { return sum_of_squares(weights(p) + first, last - first); });
    const auto r_squares = sums_of_pieces(parameters, [&](size_t p, int64_t first, int64_t last) {
      return squares_of(direction(p), last - first, weights(p) + first, state.of(p, 0).data() + first, state.of(p, 1).data() + first);
    });
    for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
      const double ratio = w_squares[p] > 0 && r_squares[p] > 0 ? std::sqrt(w_squares[p] / r_squares[p]) : 1;
      move(direction(p), last - first, static_cast<float>(static_cast<double>(lr * parameters[p].lr_scale) * ratio), weights(p) + first, state.of(p, 0).data() + first, state.of(p, 1).data() + first);
    });
  }

 private:
  rules::Moments moments_;
  float epsilon_;
};

}  // namespace

OptimizerPtr make_lamb(const OptimizerOptions& o) { return std::make_unique<Lamb>(rules::Moments(o.beta1, o.beta2), rules::epsilon_or(o, 1e-6f)); }

}  // namespace graft
