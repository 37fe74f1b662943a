#include "finetune/optimizers/fused.h"

namespace graft {
namespace {

/// w ← w - η g.  [Robbins & Monro 1951]
struct Sgd {
  static constexpr int kSlots = 0;
  static constexpr float kDefaultLr = 0.1f;
  float lr = 0;
  void prepare(float rate, int64_t) { lr = rate; }
  void operator()(float& w, float g) const { w -= lr * g; }
};

}  // namespace

OptimizerPtr make_sgd(const OptimizerOptions&) { return std::make_unique<Fused<Sgd>>(Sgd{}); }

}  // namespace graft
