#include <cmath>

#include "finetune/losses/loss.h"

namespace graft {
namespace {

/// L = -Σ_k t_k (1-p_k)^γ log p_k with p = softmax(f).  [Lin et al. 2017, eq. 4; their α are the class weights]
/// With h_k = p_k·dL/dp_k = t_k (γ p_k (1-p_k)^(γ-1) log p_k - (1-p_k)^γ): dL/df_j = h_j - p_j Σ_k h_k.
class Focal final : public Loss {
 public:
  explicit Focal(float gamma) : gamma_(static_cast<double>(gamma)) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    const double log_sum = log_sum_exp(f);
    double loss = 0, sum = 0;
    const auto terms = [&](size_t k, double& value) {
      const double t = y.at(k), log_p = static_cast<double>(f[k]) - log_sum, p = std::exp(log_p), rest = -std::expm1(log_p);  // 1 - p
      const double factor = std::pow(rest, gamma_);
      value = -t * factor * log_p;
      // (1-p)^(γ-1)·log p stays bounded as p → 1 for γ ≥ 0: log p ≈ -(1-p).
      const double inner = rest > 0 ? gamma_ * p * factor / rest * log_p : 0.0;
      return t * (inner - factor);
    };
    for (size_t k = 0; k < f.size(); ++k) {
      double value = 0;
      sum += terms(k, value);
      loss += value;
    }
    for (size_t k = 0; k < f.size(); ++k) {
      double value = 0;
      grad[k] += static_cast<float>(terms(k, value) - std::exp(static_cast<double>(f[k]) - log_sum) * sum);
    }
    return loss;
  }

 private:
  double gamma_;
};

}  // namespace

LossPtr make_focal(const LossOptions& o) { return std::make_unique<Focal>(o.gamma); }

}  // namespace graft
