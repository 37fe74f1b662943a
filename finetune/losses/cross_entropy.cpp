#include <algorithm>
#include <cmath>

#include "finetune/losses/loss.h"

namespace graft {
namespace {

/// L = -Σ_k t_k log softmax(f)_k with t = (1-ε)·onehot(y) + ε/K; dL/df = softmax(f) - t.
/// [Bishop 2006, §4.3.4; label smoothing: Szegedy et al. 2015, §7]
class CrossEntropy final : public Loss {
 public:
  explicit CrossEntropy(float smoothing) : smoothing_(static_cast<double>(smoothing)) {}
  double row(std::span<const float> f, int y, std::span<float> grad) const override {
    const double largest = static_cast<double>(*std::max_element(f.begin(), f.end()));
    double sum = 0, mean = 0;
    for (float v : f) {
      sum += std::exp(static_cast<double>(v) - largest);
      mean += static_cast<double>(v) / static_cast<double>(f.size());
    }
    const double log_sum = largest + std::log(sum), even = smoothing_ / static_cast<double>(f.size());
    for (size_t k = 0; k < f.size(); ++k) {
      const double target = even + (static_cast<int>(k) == y ? 1 - smoothing_ : 0);
      grad[k] += static_cast<float>(std::exp(static_cast<double>(f[k]) - log_sum) - target);
    }
    return log_sum - (1 - smoothing_) * static_cast<double>(f[static_cast<size_t>(y)]) - smoothing_ * mean;
  }

 private:
  double smoothing_;
};

}  // namespace

LossPtr make_cross_entropy(float label_smoothing) { return std::make_unique<CrossEntropy>(label_smoothing); }

}  // namespace graft
