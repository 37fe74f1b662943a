#pragma once

#include <cmath>

#include "finetune/optimizers/optimizer.h"
#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// Adam's direction, in each tensor as long as its weights: r = m̂/(√v̂ + ε) + λw;  w ← w - η‖w‖/‖r‖·r (‖w‖ or ‖r‖ zero:
/// factor 1). [You et al. 2020, alg. 2]
struct Lamb {
  static constexpr ComponentText kText{
      "lamb", "adam whose step in each tensor is as long as its weights say",
      "r = m̂/(√v̂ + ε) + λw; w ← w - η‖w‖/‖r‖·r, m and v as adam's  [You et al. 2020, alg. 2]"};
  struct Options {
    double beta1 = 0.9, beta2 = 0.999;
    float epsilon = 1e-6f;
    void describe(SettingVisitor& visit) {
      visit("beta1", beta1, kBeta1);
      visit("beta2", beta2, kBeta2);
      visit("epsilon", epsilon, kEpsilon);
    }
  };
  static OptimizerPtr make(const Options& options);
  explicit Lamb(const Options& o) : moments(o.beta1, o.beta2), epsilon(o.epsilon) {}

  Moments moments;
  float epsilon;
  float correction1 = 1, correction2 = 1;  // 1/(1 - βᵗ)
  void prepare(int64_t step) {
    correction1 = static_cast<float>(1 / moments.correction1(step));
    correction2 = static_cast<float>(1 / moments.correction2(step));
  }
  GRAFT_DEVICE void add(float w, float g, float l1, float& m, float& v) const {
    const float sign = w > 0 ? 1.0f : w < 0 ? -1.0f : 0.0f;
    moments.add(g + l1 * sign, m, v);
  }
  /// r
  GRAFT_DEVICE float direction(float w, float m, float v, float decay) const {
    return m * correction1 / (std::sqrt(v * correction2) + epsilon) + decay * w;
  }
  /// ‖w‖/‖r‖, from their squares.
  GRAFT_DEVICE static double ratio(double w_squares, double r_squares) {
    return w_squares > 0 && r_squares > 0 ? std::sqrt(w_squares / r_squares) : 1;
  }
};

}  // namespace graft::rules
