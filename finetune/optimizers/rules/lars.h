#pragma once

#include <cmath>

#include "finetune/optimizers/optimizer.h"
#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// Momentum whose rate each tensor scales by the share of its gradient in its weights: λ = η‖w‖/(‖g‖ + β‖w‖);
/// v ← μ v + γλ(g + βw);  w ← w - v, with γ the rate and β the weight decay. Vectors (biases, norms) take λ = η, as if
/// ‖w‖ = ‖g‖. [You, Gitman & Ginsburg 2017, alg. 1]
struct Lars {
  static constexpr ComponentText kText{
      "lars", "momentum with a rate for each tensor, by the length of its weights",
      "v ← μ v + ηλ(g + βw); w ← w - v, λ = trust·‖w‖/(‖g‖ + β‖w‖)  [You, Gitman & Ginsburg 2017, alg. 1]"};
  struct Options {
    float momentum = 0.9f;
    double trust = 1e-3;
    void describe(SettingVisitor& visit) {
      visit("momentum", momentum, kMu);
      visit("trust", trust, {.low = 0, .high = 1, .help = "how far a step may go, as a part of the weights' length"});
    }
  };
  static OptimizerPtr make(const Options& options);
  explicit Lars(const Options& o) : mu(o.momentum), trust(o.trust) {}

  float mu;
  double trust;  // η
  /// λ, from ‖w‖² and ‖g‖².
  GRAFT_DEVICE double local(double w_squares, double g_squares, double decay, bool matrix) const {
    if (!matrix || !(w_squares > 0) || !(g_squares > 0)) return trust;
    const double w = std::sqrt(w_squares), g = std::sqrt(g_squares);
    return trust * w / (g + decay * w);
  }
  /// `rate`: γλ.
  GRAFT_DEVICE void operator()(float& w, float g, float& v, float rate, float decay, float l1) const {
    const float sign = w > 0 ? 1.0f : w < 0 ? -1.0f : 0.0f;
    v = mu * v + rate * (g + decay * w + l1 * sign);
    w -= v;
  }
};

}  // namespace graft::rules
