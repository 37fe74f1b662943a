#include <cmath>

#include "finetune/optimizers/fused.h"

namespace graft {
namespace {

/// m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g²;  w ← w - η·m̂/(√v̂ + ε), m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ).  [Kingma & Ba 2015]
struct Adam {
  static constexpr int kSlots = 2;
  static constexpr float kDefaultLr = 1e-3f;
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  float rate = 0, root_correction = 1;
  void prepare(float lr, int64_t step) {
    const double t = static_cast<double>(step);
    rate = static_cast<float>(static_cast<double>(lr) / (1 - std::pow(static_cast<double>(beta1), t)));
    root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(static_cast<double>(beta2), t)));
  }
  void operator()(float& w, float g, float& m, float& v) const {
    m += (1 - beta1) * (g - m);
    v = beta2 * v + (1 - beta2) * g * g;
    w -= rate * m / (std::sqrt(v) * root_correction + epsilon);
  }
};

}  // namespace

OptimizerPtr make_adam(const OptimizerOptions& o) { return std::make_unique<Fused<Adam>>(Adam{o.beta1, o.beta2, o.epsilon}); }

}  // namespace graft
