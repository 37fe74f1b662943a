#include <cmath>

#include "finetune/losses/element_wise.h"

namespace graft {

/// |f - t|; slope 0 where they meet.  Equal to PyTorch's L1Loss.
LossPtr make_mean_absolute_error(const LossOptions&) {
  return make_element_wise([](double f, double t, double& slope) {
    slope = f > t ? 1 : f < t ? -1 : 0;
    return std::fabs(f - t);
  });
}

}  // namespace graft
