#pragma once

#include "finetune/losses/formulas/formula.h"

namespace graft::formulas {

/// -t·log σ(f) - (1-t)·log(1-σ(f)) = max(f,0) - t·f + log(1 + e^-|f|); slope σ(f) - t.  Equal to PyTorch's
/// BCEWithLogitsLoss.
struct BinaryCrossEntropy {
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double small = std::exp(-std::fabs(f));
    slope = (f >= 0 ? 1 : small) / (1 + small) - t;
    return std::fmax(f, 0.0) - t * f + std::log1p(small);
  }
};

/// max(0, Δ - s·f) with s = +1 where the target says yes and -1 where not.  [Vapnik 1995]
struct BinaryHinge {
  double margin = 1;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double s = t > 0.5 ? 1 : -1, excess = margin - s * f;
    slope = excess > 0 ? -s : 0;
    return std::fmax(0.0, excess);
  }
};

/// The same, squared: what LIBLINEAR minimises, one class against the rest.  [Fan et al. 2008, §2]
struct SquaredBinaryHinge {
  double margin = 1;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double s = t > 0.5 ? 1 : -1, excess = std::fmax(0.0, margin - s * f);
    slope = -2 * s * excess;
    return excess * excess;
  }
};

/// |f - t|; slope 0 where they meet.  Equal to PyTorch's L1Loss.
struct MeanAbsoluteError {
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    slope = f > t ? 1 : f < t ? -1 : 0;
    return std::fabs(f - t);
  }
};

/// (f - t)².  Equal to PyTorch's MSELoss.
struct MeanSquaredError {
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    slope = 2 * (f - t);
    return (f - t) * (f - t);
  }
};

/// ½a² where |a| ≤ δ, else δ(|a| - ½δ), with a = f - t.  [Huber 1964]; equal to PyTorch's HuberLoss.
struct Huber {
  double delta = 1;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double a = f - t;
    if (std::fabs(a) <= delta) {
      slope = a;
      return 0.5 * a * a;
    }
    slope = a > 0 ? delta : -delta;
    return delta * (std::fabs(a) - 0.5 * delta);
  }
};

/// Huber's divided by δ, so that the slope far away is 1.  [Girshick 2015]; equal to PyTorch's SmoothL1Loss with beta =
/// δ.
struct SmoothL1 {
  Huber huber;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double value = huber(f, t, slope);
    slope /= huber.delta;
    return value / huber.delta;
  }
};

template <typename Use>
auto binary_cross_entropy(const LossOptions&, const Use& use) {
  return use(ElementWise<BinaryCrossEntropy>{});
}
template <typename Use>
auto binary_hinge(const LossOptions& o, const Use& use) {
  return use(ElementWise<BinaryHinge>{{}, {static_cast<double>(o.margin)}});
}
template <typename Use>
auto squared_binary_hinge(const LossOptions& o, const Use& use) {
  return use(ElementWise<SquaredBinaryHinge>{{}, {static_cast<double>(o.margin)}});
}
template <typename Use>
auto mean_absolute_error(const LossOptions&, const Use& use) {
  return use(ElementWise<MeanAbsoluteError>{});
}
template <typename Use>
auto mean_squared_error(const LossOptions&, const Use& use) {
  return use(ElementWise<MeanSquaredError>{});
}
template <typename Use>
auto huber(const LossOptions& o, const Use& use) {
  return use(ElementWise<Huber>{{}, {static_cast<double>(o.delta)}});
}
template <typename Use>
auto smooth_l1(const LossOptions& o, const Use& use) {
  return use(ElementWise<SmoothL1>{{}, {{static_cast<double>(o.delta)}}});
}

}  // namespace graft::formulas
