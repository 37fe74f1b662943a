#include <cmath>

#include "finetune/losses/element_wise.h"

namespace graft {

/// max(0, Δ - s·f) with s = +1 where the target says yes and -1 where not.  [Vapnik 1995]
LossPtr make_binary_hinge(const LossOptions& o) {
  const auto margin = static_cast<double>(o.margin);
  return make_element_wise([margin](double f, double t, double& slope) {
    const double s = t > 0.5 ? 1 : -1, excess = margin - s * f;
    slope = excess > 0 ? -s : 0;
    return std::fmax(0, excess);
  });
}

/// The same, squared: what LIBLINEAR minimises, one class against the rest.  [Fan et al. 2008, §2]
LossPtr make_squared_binary_hinge(const LossOptions& o) {
  const auto margin = static_cast<double>(o.margin);
  return make_element_wise([margin](double f, double t, double& slope) {
    const double s = t > 0.5 ? 1 : -1, excess = std::fmax(0, margin - s * f);
    slope = -2 * s * excess;
    return excess * excess;
  });
}

}  // namespace graft
