#include <cmath>

#include "finetune/losses/loss.h"

namespace graft {
namespace {

/// L = Σ_k t_k log(t_k / softmax(f)_k), with 0·log 0 = 0: cross-entropy less the target's entropy.  [Kullback & Leibler 1951]
class KlDivergence final : public Loss {
 public:
  explicit KlDivergence(const LossOptions& o) : cross_entropy_(make_cross_entropy(o)), smoothing_(static_cast<double>(o.label_smoothing)) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    double loss = cross_entropy_->row(f, y, grad);
    for (size_t k = 0; k < f.size(); ++k) {
      const double t = smoothed(y, k, f.size(), smoothing_);
      if (t > 0) loss += t * std::log(t);
    }
    return loss;
  }

 private:
  LossPtr cross_entropy_;
  double smoothing_;
};

}  // namespace

LossPtr make_kl_divergence(const LossOptions& o) { return std::make_unique<KlDivergence>(o); }

}  // namespace graft
