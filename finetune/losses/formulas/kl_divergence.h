#pragma once

#include "finetune/losses/formulas/cross_entropy.h"

namespace graft::formulas {

/// L = Σ_k t_k log(t_k / softmax(f)_k), with 0·log 0 = 0: cross-entropy less the target's entropy.  [Kullback & Leibler
/// 1951]
struct KlDivergence : FormulaDefaults {
  CrossEntropy cross_entropy;
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    double entropy = 0;
    GRAFT_FOR_COLUMNS(k, f, row) {
      const double t = smoothed(y, k, f.size(), cross_entropy.smoothing);
      if (t > 0) entropy += t * std::log(t);
    }
    return cross_entropy(f, y, grad, row) + row.sum(entropy);
  }
};

template <typename Use>
auto kl_divergence(const LossOptions& o, const Use& use) {
  return use(KlDivergence{{}, {{}, static_cast<double>(o.label_smoothing)}});
}

}  // namespace graft::formulas
