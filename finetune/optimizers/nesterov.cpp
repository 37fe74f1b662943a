#include "finetune/optimizers/fused.h"

namespace graft {
namespace {

/// v ← μ v + g;  w ← w - η (g + μ v).  [Nesterov 1983, as Sutskever et al. 2013, §2]; equal to PyTorch's SGD with nesterov.
struct Nesterov : RuleDefaults {
  static constexpr int kSlots = 1;
  static constexpr float kDefaultLr = 0.01f;
  float mu = 0.9f;
  void operator()(float& w, float g, float& v) const {
    v = mu * v + g;
    w -= lr * (g + mu * v);
  }
};

}  // namespace

OptimizerPtr make_nesterov(const OptimizerOptions& o) { return fused(Nesterov{{}, o.momentum}); }

}  // namespace graft
