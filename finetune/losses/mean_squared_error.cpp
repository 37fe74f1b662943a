#include "finetune/losses/element_wise.h"

namespace graft {

/// (f - t)².  Equal to PyTorch's MSELoss.
LossPtr make_mean_squared_error(const LossOptions&) {
  return make_element_wise([](double f, double t, double& slope) {
    slope = 2 * (f - t);
    return (f - t) * (f - t);
  });
}

}  // namespace graft
