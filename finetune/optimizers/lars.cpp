#include <cmath>

#include "finetune/optimizers/norms.h"

namespace graft {
namespace {

GRAFT_VECTOR_CLONES void move(int64_t n, float rate, float mu, float decay, float l1, const float* __restrict g, float* __restrict w, float* __restrict v) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float sign = w[i] > 0 ? 1.0f : w[i] < 0 ? -1.0f : 0.0f;
    v[i] = mu * v[i] + rate * (g[i] + decay * w[i] + l1 * sign);
    w[i] -= v[i];
  }
}

/// Momentum whose rate each tensor scales by the share of its gradient in its weights: λ = η‖w‖/(‖g‖ + β‖w‖);
/// v ← μ v + γλ(g + βw);  w ← w - v, with γ the rate and β the weight decay. Vectors (biases, norms) take λ = η, as if ‖w‖ = ‖g‖.
/// [You, Gitman & Ginsburg 2017, alg. 1]
class Lars final : public Optimizer {
 public:
  Lars(float mu, float trust) : mu_(mu), trust_(static_cast<double>(trust)) {}
  int slots() const override { return 1; }
  float default_lr() const override { return 10.0f; }
  void step(float lr, int64_t, const std::vector<Parameter>& parameters, OptimizerState& state) override {
    const auto weights = [&](size_t p) { return parameters[p].tensor->data<float>().data(); };
    const auto w_squares = sums_of_pieces(parameters, [&](size_t p, int64_t first, int64_t last) { return sum_of_squares(weights(p) + first, last - first); });
    const auto g_squares = sums_of_pieces(parameters, [&](size_t p, int64_t first, int64_t last) { return sum_of_squares(parameters[p].gradient + first, last - first); });
    for_each_part(parameters, [&](size_t p, int64_t first, int64_t last) {
      const Parameter& parameter = parameters[p];
      const double w_norm = std::sqrt(w_squares[p]), g_norm = std::sqrt(g_squares[p]), beta = static_cast<double>(parameter.weight_decay);
      const bool scaled = parameter.tensor->shape().rank() > 1 && w_norm > 0 && g_norm > 0;
      const double local = scaled ? trust_ * w_norm / (g_norm + beta * w_norm) : trust_;
      move(last - first, static_cast<float>(static_cast<double>(lr * parameter.lr_scale) * local), mu_, parameter.weight_decay, parameter.l1, parameter.gradient + first, weights(p) + first,
           state.of(p, 0).data() + first);
    });
  }

 private:
  float mu_;
  double trust_;
};

}  // namespace

OptimizerPtr make_lars(const OptimizerOptions& o) { return std::make_unique<Lars>(o.momentum, o.trust); }

}  // namespace graft
