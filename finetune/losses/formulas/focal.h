#pragma once

#include "finetune/losses/formulas/formula.h"

namespace graft::formulas {

/// L = -Σ_k t_k (1-p_k)^γ log p_k with p = softmax(f).  [Lin et al. 2017, eq. 4; their α are the class weights]
/// With h_k = p_k·dL/dp_k = t_k (γ p_k (1-p_k)^(γ-1) log p_k - (1-p_k)^γ): dL/df_j = h_j - p_j Σ_k h_k.
struct Focal : FormulaDefaults {
  static constexpr ComponentText kText{"focal", "cross-entropy that looks away from what is easy",
                                       "L = -Σ_k t_k (1-p_k)^γ log p_k, p = softmax(f)  [Lin et al. 2017, eq. 4]"};
  struct Options {
    double gamma = 2;
    void describe(SettingVisitor& visit) {
      visit("gamma", gamma, {.low = 0, .high = 20, .help = "γ: how little easy pictures count (0: cross-entropy)"});
    }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Focal{{}, o.gamma});
  }
  double gamma = 2;
  /// h_k; `value` gets the loss's own term.
  GRAFT_DEVICE double term(double t, double log_p, double& value) const {
    const double p = std::exp(log_p), rest = -std::expm1(log_p);  // 1 - p
    const double factor = std::pow(rest, gamma);
    value = -t * factor * log_p;
    // (1-p)^(γ-1)·log p stays bounded as p → 1 for γ ≥ 0: log p ≈ -(1-p).
    const double inner = rest > 0 ? gamma * p * factor / rest * log_p : 0.0;
    return t * (inner - factor);
  }
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    const double log_sum = log_sum_exp(f, row);
    double loss = 0, sum = 0;
    GRAFT_FOR_COLUMNS(k, f, row) {
      double value = 0;
      sum += term(y.at(k), static_cast<double>(f[k]) - log_sum, value);
      loss += value;
    }
    sum = row.sum(sum);
    GRAFT_FOR_COLUMNS(k, f, row) {
      const double log_p = static_cast<double>(f[k]) - log_sum;
      double value = 0;
      grad[k] += static_cast<float>(term(y.at(k), log_p, value) - std::exp(log_p) * sum);
    }
    return row.sum(loss);
  }
};

}  // namespace graft::formulas
