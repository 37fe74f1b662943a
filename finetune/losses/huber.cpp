#include <cmath>

#include "finetune/losses/element_wise.h"

namespace graft {
namespace {

/// ½a² where |a| ≤ δ, else δ(|a| - ½δ), with a = f - t.  [Huber 1964]
double huber(double a, double delta, double& slope) {
  if (std::fabs(a) <= delta) {
    slope = a;
    return 0.5 * a * a;
  }
  slope = a > 0 ? delta : -delta;
  return delta * (std::fabs(a) - 0.5 * delta);
}

}  // namespace

/// Equal to PyTorch's HuberLoss.
LossPtr make_huber(const LossOptions& o) {
  const auto delta = static_cast<double>(o.delta);
  return make_element_wise([delta](double f, double t, double& slope) { return huber(f - t, delta, slope); });
}

/// Huber's divided by δ, so that the slope far away is 1.  [Girshick 2015]; equal to PyTorch's SmoothL1Loss with beta = δ.
LossPtr make_smooth_l1(const LossOptions& o) {
  const auto delta = static_cast<double>(o.delta);
  return make_element_wise([delta](double f, double t, double& slope) {
    const double value = huber(f - t, delta, slope);
    slope /= delta;
    return value / delta;
  });
}

}  // namespace graft
