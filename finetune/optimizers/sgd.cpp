#include "finetune/optimizers/fused.h"

namespace graft {
namespace {

/// w ← w - η g.  [Robbins & Monro 1951]
struct Sgd : RuleDefaults {
  static constexpr int kSlots = 0;
  static constexpr float kDefaultLr = 0.1f;
  void operator()(float& w, float g) const { w -= lr * g; }
};

/// The same with the gradient of the whole training set. [Cauchy 1847]
struct GradientDescent : Sgd {
  static constexpr float kDefaultLr = 0.2f;
  static constexpr bool kFullBatch = true;
};

}  // namespace

OptimizerPtr make_sgd(const OptimizerOptions&) { return fused(Sgd{}); }
OptimizerPtr make_gd(const OptimizerOptions&) { return fused(GradientDescent{}); }

}  // namespace graft
