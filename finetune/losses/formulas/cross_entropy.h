#pragma once

#include "finetune/losses/formulas/formula.h"

namespace graft::formulas {

/// L = -Σ_k t_k log softmax(f)_k; dL/df = softmax(f)·Σt - t.  [Bishop 2006, §4.3.4]
struct CrossEntropy : FormulaDefaults {
  double smoothing = 0;
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    const double log_sum = log_sum_exp(f, row);
    double loss = 0, mass = 0;
    GRAFT_FOR_COLUMNS(k, f, row) {
      const double t = smoothed(y, k, f.size(), smoothing);
      mass += t;
      loss += t * (log_sum - static_cast<double>(f[k]));
    }
    mass = row.sum(mass);
    GRAFT_FOR_COLUMNS(k, f, row)
    grad[k] +=
        static_cast<float>(mass * std::exp(static_cast<double>(f[k]) - log_sum) - smoothed(y, k, f.size(), smoothing));
    return row.sum(loss);
  }
};

template <typename Use>
auto cross_entropy(const LossOptions& o, const Use& use) {
  return use(CrossEntropy{{}, static_cast<double>(o.label_smoothing)});
}

}  // namespace graft::formulas
