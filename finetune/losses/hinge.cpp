#include "finetune/losses/loss.h"

namespace graft {
namespace {

/// L = Σ_{j≠y} max(0, f_j - f_y + Δ)ᵖ with p = 1 [Weston & Watkins 1999] or 2 (squared).
class Hinge final : public Loss {
 public:
  Hinge(float margin, bool squared) : margin_(static_cast<double>(margin)), squared_(squared) {}
  double row(std::span<const float> f, const Target& y, std::span<float> grad) const override {
    const auto truth = static_cast<size_t>(y.label);
    double loss = 0, pull = 0;
    for (size_t j = 0; j < f.size(); ++j) {
      const double excess = static_cast<double>(f[j]) - static_cast<double>(f[truth]) + margin_;
      if (j == truth || excess <= 0) continue;
      loss += squared_ ? excess * excess : excess;
      const double slope = squared_ ? 2 * excess : 1;
      grad[j] += static_cast<float>(slope);
      pull += slope;
    }
    grad[truth] -= static_cast<float>(pull);
    return loss;
  }
  bool takes_rows() const override { return false; }

 private:
  double margin_;
  bool squared_;
};

}  // namespace

LossPtr make_hinge(const LossOptions& o) { return std::make_unique<Hinge>(o.margin, false); }
LossPtr make_squared_hinge(const LossOptions& o) { return std::make_unique<Hinge>(o.margin, true); }

}  // namespace graft
