#include <cmath>

#include "finetune/losses/loss.h"

namespace graft {
namespace {

/// L = -Σ_k t_k log softmax(f)_k; dL/df = softmax(f)·Σt - t.  [Bishop 2006, §4.3.4]
class CrossEntropy final : public Loss {
 public:
  explicit CrossEntropy(float smoothing) : smoothing_(static_cast<double>(smoothing)) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    const double log_sum = log_sum_exp(f);
    double loss = 0, mass = 0;
    for (size_t k = 0; k < f.size(); ++k) {
      const double t = smoothed(y, k, f.size(), smoothing_);
      mass += t;
      loss += t * (log_sum - static_cast<double>(f[k]));
    }
    for (size_t k = 0; k < f.size(); ++k) {
      grad[k] += static_cast<float>(mass * std::exp(static_cast<double>(f[k]) - log_sum) - smoothed(y, k, f.size(), smoothing_));
    }
    return loss;
  }

 private:
  double smoothing_;
};

}  // namespace

LossPtr make_cross_entropy(const LossOptions& o) { return std::make_unique<CrossEntropy>(o.label_smoothing); }

}  // namespace graft
