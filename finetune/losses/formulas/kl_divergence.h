#pragma once

#include "finetune/losses/formulas/cross_entropy.h"

namespace graft::formulas {

/// L = Σ_k t_k log(t_k / softmax(f)_k), with 0·log 0 = 0: cross-entropy less the target's entropy.  [Kullback & Leibler
/// 1951]
struct KlDivergence : FormulaDefaults {
  static constexpr ComponentText kText{"kl", "distance from a distribution over the classes",
                                       "L = Σ_k t_k log(t_k / softmax(f)_k)  [Kullback & Leibler 1951]"};
  using Options = CrossEntropy::Options;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(KlDivergence{{}, {{}, o.label_smoothing}});
  }
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

}  // namespace graft::formulas
