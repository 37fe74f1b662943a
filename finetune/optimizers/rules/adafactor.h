#pragma once

#include <cmath>

#include "finetune/optimizers/optimizer.h"
#include "finetune/optimizers/rules/rule.h"

namespace graft::rules {

/// Adam's second moment kept as one number a row and one a column. With β̂₂ = 1 - t^-c and S = g² + ε:
/// Rᵢ ← β̂₂Rᵢ + (1-β̂₂)·mean_j S;  Cⱼ ← β̂₂Cⱼ + (1-β̂₂)·mean_i S;  uᵢⱼ = gᵢⱼ/√(Rᵢ Cⱼ/mean R);
/// w ← (1-ηλ)w - η·u/max(1, RMS(u)/d).  Vectors keep S's mean for each element: v ← β̂₂v + (1-β̂₂)S, u = g/√v.
/// [Shazeer & Stern 2018, alg. 4 and 5, with means for sums: their quotient is the same; without momentum and relative
/// steps; decay decoupled]. A tensor of more than two dimensions is the matrix of its first one by all others.
struct Adafactor {
  static constexpr ComponentText kText{
      "adafactor", "adam's rates from one number a row and one a column",
      "w ← (1-ηλ)w - η·u/max(1, RMS(u)/d), u = g/√(R Cᵀ/mean R)  [Shazeer & Stern 2018, alg. 4]"};
  struct Options {
    double decay_power = 0.8, clip = 1;
    float epsilon = 1e-30f;
    void describe(SettingVisitor& visit) {
      visit("decay-power", decay_power,
            {.low = 0, .high = 1, .help = "c: at step t the part 1 - t^-c of R and C is kept"});
      visit("update-clip", clip,
            {.low = 1e-6, .high = 1e6, .help = "d, the largest root mean square of a tensor's step"});
      visit("epsilon", epsilon, {.low = 1e-38, .high = 1, .help = "ε₁, which is added to squared gradients"});
    }
  };
  static OptimizerPtr make(const Options& options);
  explicit Adafactor(const Options& o) : power(o.decay_power), clip(o.clip), epsilon(o.epsilon) {}

  double power, clip;
  float epsilon;
  float take = 1;  // 1 - β̂₂
  void prepare(int64_t step) { take = static_cast<float>(std::pow(static_cast<double>(step), -power)); }
  /// S, in double precision: squares of small gradients do not fit in single.
  GRAFT_DEVICE double square(float g) const {
    return static_cast<double>(g) * static_cast<double>(g) + static_cast<double>(epsilon);
  }
  GRAFT_DEVICE float mixed(float before, double mean) const {
    return static_cast<float>(static_cast<double>(before) +
                              static_cast<double>(take) * (mean - static_cast<double>(before)));
  }
  GRAFT_DEVICE static float gradient(float w, float g, float l1) {
    return g + l1 * (w > 0 ? 1.0f : w < 0 ? -1.0f : 0.0f);
  }
  /// u of a matrix and of a vector.
  GRAFT_DEVICE static float direction(float g, float row, float column, double mean_row) {
    const double v = static_cast<double>(row) * static_cast<double>(column) / mean_row;
    return static_cast<float>(static_cast<double>(g) / std::sqrt(v));
  }
  GRAFT_DEVICE static float direction(float g, float v) {
    return static_cast<float>(static_cast<double>(g) / std::sqrt(static_cast<double>(v)));
  }
  /// η/max(1, RMS(u)/d), from the sum of u² over `count` elements.
  GRAFT_DEVICE float rate(float lr, double squares, int64_t count) const {
    const double excess = std::sqrt(squares / static_cast<double>(count)) / clip;
    return static_cast<float>(static_cast<double>(lr) / (excess > 1 ? excess : 1.0));
  }
};

}  // namespace graft::rules
