#include <cmath>

#include "finetune/losses/element_wise.h"

namespace graft {

/// -t·log σ(f) - (1-t)·log(1-σ(f)) = max(f,0) - t·f + log(1 + e^-|f|); slope σ(f) - t.  Equal to PyTorch's BCEWithLogitsLoss.
LossPtr make_binary_cross_entropy(const LossOptions&) {
  return make_element_wise([](double f, double t, double& slope) {
    const double small = std::exp(-std::fabs(f));
    slope = (f >= 0 ? 1 : small) / (1 + small) - t;
    return std::fmax(f, 0) - t * f + std::log1p(small);
  });
}

}  // namespace graft
