#include "finetune/optimizers/fused.h"

namespace graft {
namespace {

/// v ← μ v - η g;  w ← w + v.  [Polyak 1964]. Equal to PyTorch's SGD with momentum while η is constant.
struct Momentum {
  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 0.01f;
  float mu = 0.9f, lr = 0;
  void prepare(float rate, int64_t) { lr = rate; }
  void operator()(float& w, float g, float& v) const {
    v = mu * v - lr * g;
    w += v;
  }
};

}  // namespace

OptimizerPtr make_momentum(const OptimizerOptions& o) { return std::make_unique<Fused<Momentum>>(Momentum{o.momentum}); }

}  // namespace graft
