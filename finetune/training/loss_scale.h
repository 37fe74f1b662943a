#pragma once

#include <cstdint>

namespace graft {

/// What the loss is multiplied by where slopes are halves of float16, whose small ones would vanish; gradients are
/// divided by it again. A step whose gradients are not finite is left out and the scale halved; 2,000 steps without one
/// double it.  [Micikevicius et al. 2018, §3.2; PyTorch's GradScaler]
struct LossScale {
  double value = 65536;
  int64_t good = 0;  // steps since it last changed
  void observe(bool finite) {
    constexpr int64_t kPatience = 2000;
    if (!finite) {
      value *= 0.5;
      good = 0;
    } else if (++good == kPatience) {
      value *= 2;
      good = 0;
    }
  }
};

}  // namespace graft
