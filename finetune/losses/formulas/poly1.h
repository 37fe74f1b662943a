#pragma once

#include "finetune/losses/formulas/cross_entropy.h"

namespace graft::formulas {

/// L = -Σ_k t_k log p_k + ε·Σ_k t_k (1-p_k) with p = softmax(f): cross-entropy whose series in 1-p has a first
/// coefficient of 1+ε; dL/df_j = p_j·Σt - t_j - ε·p_j (t_j - Σ_k t_k p_k).  [Leng et al. 2022, eq. 3]
struct Poly1 : FormulaDefaults {
  static constexpr ComponentText kText{"poly-1", "cross-entropy with another slope near the target",
                                       "L = Σ_k t_k (-log p_k + ε(1-p_k)), p = softmax(f)  [Leng et al. 2022, eq. 3]"};
  struct Options {
    double epsilon = 1;
    void describe(SettingVisitor& visit) {
      visit("poly-epsilon", epsilon, {.low = -1, .high = 1000, .help = "ε, the weight of 1-p (0: cross-entropy)"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Poly1{{}, {}, o.epsilon});
  }

  CrossEntropy cross_entropy;
  double epsilon = 1;
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    const double log_sum = log_sum_exp(f, row);
    double mass = 0, mean = 0;  // Σ t, Σ t·p
    GRAFT_FOR_COLUMNS(k, f, row) {
      mass += y.at(k);
      mean += y.at(k) * std::exp(static_cast<double>(f[k]) - log_sum);
    }
    mass = row.sum(mass);
    mean = row.sum(mean);
    const double loss = cross_entropy(f, y, grad, row);
    GRAFT_FOR_COLUMNS(k, f, row)
    grad[k] -= static_cast<float>(epsilon * std::exp(static_cast<double>(f[k]) - log_sum) * (y.at(k) - mean));
    return loss + epsilon * (mass - mean);
  }
};

}  // namespace graft::formulas
