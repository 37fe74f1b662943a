#include "finetune/losses/loss.h"

namespace graft {
namespace {

/// L = Σ_{j≠y} max(0, f_j - f_y + Δ).  [Weston & Watkins 1999]
class MulticlassHinge final : public Loss {
 public:
  explicit MulticlassHinge(float margin) : margin_(margin) {}
  double row(std::span<const float> f, int y, std::span<float> grad) const override {
    double loss = 0;
    for (size_t j = 0; j < f.size(); ++j) {
      const float excess = f[j] - f[static_cast<size_t>(y)] + margin_;
      if (static_cast<int>(j) == y || excess <= 0) continue;
      loss += static_cast<double>(excess);
      grad[j] += 1;
      grad[static_cast<size_t>(y)] -= 1;
    }
    return loss;
  }

 private:
  float margin_;
};

}  // namespace

LossPtr make_multiclass_hinge(float margin) { return std::make_unique<MulticlassHinge>(margin); }

}  // namespace graft
