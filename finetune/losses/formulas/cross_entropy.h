#pragma once

#include "finetune/losses/formulas/formula.h"

namespace graft::formulas {

inline constexpr SettingTraits kLabelSmoothing{
    .low = 0, .high = 0.99, .help = "ε, the part of the target spread over all classes [Szegedy et al. 2015]"};

/// L = -Σ_k t_k log softmax(f)_k; dL/df = softmax(f)·Σt - t.  [Bishop 2006, §4.3.4]
struct CrossEntropy : FormulaDefaults {
  static constexpr ComponentText kText{"cross-entropy", "one class a picture, or a distribution over the classes",
                                       "L = -Σ_k t_k log softmax(f)_k  [Bishop 2006, §4.3.4]"};
  struct Options {
    double label_smoothing = 0;
    void describe(SettingVisitor& visit) { visit("label-smoothing", label_smoothing, kLabelSmoothing); }
  };
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(CrossEntropy{{}, o.label_smoothing});
  }
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

}  // namespace graft::formulas
