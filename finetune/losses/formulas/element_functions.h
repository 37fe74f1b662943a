#pragma once

#include "finetune/losses/formulas/hinge.h"

namespace graft::formulas {

/// -t·log σ(f) - (1-t)·log(1-σ(f)) = max(f,0) - t·f + log(1 + e^-|f|); slope σ(f) - t.  Equal to PyTorch's
/// BCEWithLogitsLoss.
struct BinaryCrossEntropy {
  static constexpr ComponentText kText{"bce", "several labels a picture, each a yes or no",
                                       "L = -t·log σ(f) - (1-t)·log(1-σ(f)), mean over the outputs"};
  using Options = NoSettings;
  template <typename Use>
  static auto make(const Options&, const Use& use) {
    return use(ElementWise<BinaryCrossEntropy>{{}, {}});
  }
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double small = std::exp(-std::fabs(f));
    slope = (f >= 0 ? 1 : small) / (1 + small) - t;
    return std::fmax(f, 0.0) - t * f + std::log1p(small);
  }
};

/// max(0, Δ - s·f) with s = +1 where the target says yes and -1 where not.  [Vapnik 1995]
struct BinaryHinge {
  static constexpr ComponentText kText{"binary-hinge", "several labels a picture, a support vector machine for each",
                                       "L = max(0, Δ - s·f), s = ±1, mean over the outputs  [Vapnik 1995]"};
  using Options = HingeOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(ElementWise<BinaryHinge>{{}, {o.margin}});
  }
  double margin = 1;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double s = t > 0.5 ? 1 : -1, excess = margin - s * f;
    slope = excess > 0 ? -s : 0;
    return std::fmax(0.0, excess);
  }
};

/// The same, squared: what LIBLINEAR minimises, one class against the rest.  [Fan et al. 2008, §2]
struct SquaredBinaryHinge {
  static constexpr ComponentText kText{"squared-binary-hinge", "binary-hinge squared: what LIBLINEAR minimises",
                                       "L = max(0, Δ - s·f)², s = ±1, mean over the outputs  [Fan et al. 2008, §2]"};
  using Options = HingeOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(ElementWise<SquaredBinaryHinge>{{}, {o.margin}});
  }
  double margin = 1;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double s = t > 0.5 ? 1 : -1, excess = std::fmax(0.0, margin - s * f);
    slope = -2 * s * excess;
    return excess * excess;
  }
};

/// |f - t|; slope 0 where they meet.  Equal to PyTorch's L1Loss.
struct MeanAbsoluteError {
  static constexpr ComponentText kText{"mae", "measured values; outliers pull no more than others",
                                       "L = |f - t|, mean over the outputs"};
  using Options = NoSettings;
  template <typename Use>
  static auto make(const Options&, const Use& use) {
    return use(ElementWise<MeanAbsoluteError>{{}, {}});
  }
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    slope = f > t ? 1 : f < t ? -1 : 0;
    return std::fabs(f - t);
  }
};

/// (f - t)².  Equal to PyTorch's MSELoss.
struct MeanSquaredError {
  static constexpr ComponentText kText{"mse", "measured values", "L = (f - t)², mean over the outputs"};
  using Options = NoSettings;
  template <typename Use>
  static auto make(const Options&, const Use& use) {
    return use(ElementWise<MeanSquaredError>{{}, {}});
  }
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    slope = 2 * (f - t);
    return (f - t) * (f - t);
  }
};

struct HuberOptions {
  double delta = 1;
  void describe(SettingVisitor& visit) {
    visit("delta", delta, {.low = 1e-6, .high = 1e6, .help = "δ, where the parabola becomes a straight line"});
  }
};

/// ½a² where |a| ≤ δ, else δ(|a| - ½δ), with a = f - t.  [Huber 1964]; equal to PyTorch's HuberLoss.
struct Huber {
  static constexpr ComponentText kText{"huber", "measured values: squared near the target, straight far away",
                                       "L = ½a² where |a| ≤ δ, else δ(|a| - ½δ), a = f - t  [Huber 1964]"};
  using Options = HuberOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(ElementWise<Huber>{{}, {o.delta}});
  }
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
  static constexpr ComponentText kText{"smooth-l1", "measured values: Huber's divided by δ",
                                       "L = ½a²/δ where |a| ≤ δ, else |a| - ½δ, a = f - t  [Girshick 2015]"};
  using Options = HuberOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(ElementWise<SmoothL1>{{}, {{o.delta}}});
  }
  Huber huber;
  GRAFT_DEVICE double operator()(double f, double t, double& slope) const {
    const double value = huber(f, t, slope);
    slope /= huber.delta;
    return value / huber.delta;
  }
};

}  // namespace graft::formulas
