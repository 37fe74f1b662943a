#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/core/component.h"
#include "runtime/core/host_device.h"

namespace graft::rules {

/// What rules have unless they say otherwise. As a component a rule also has kText, Options, and make(options, use),
/// which calls use(rule).
struct RuleDefaults {
  static constexpr float kDefaultDecay = 1e-4f;
  static constexpr bool kCoupled = true;  // weight decay is added to the gradient; else the rule applies `decay` itself
  static constexpr bool kFullBatch = false;
  float lr = 0, decay = 0;  // of the parameter at hand
  float initial(int) const { return 0; }
  void prepare(int64_t /*step*/) {}  // once a step
  void bind() {}                     // once a parameter, with lr and decay set
};

/// One element's update, its penalties added to the gradient first. `decay`: the coupled part, else 0. Slots that the
/// rule has not are null.
template <typename Rule>
GRAFT_DEVICE inline void apply(const Rule& rule, float decay, float l1, int64_t i, float* w, const float* g, float* a,
                               float* b, float* c) {
  const float sign = w[i] > 0 ? 1.0f : w[i] < 0 ? -1.0f : 0.0f;
  const float gradient = g[i] + decay * w[i] + l1 * sign;
  if constexpr (Rule::kSlots == 0)
    rule(w[i], gradient);
  else if constexpr (Rule::kSlots == 1)
    rule(w[i], gradient, a[i]);
  else if constexpr (Rule::kSlots == 2)
    rule(w[i], gradient, a[i], b[i]);
  else
    rule(w[i], gradient, a[i], b[i], c[i]);
}

/// The two running means of Adam and its kin: m ← β₁m + (1-β₁)g;  v ← β₂v + (1-β₂)g².
struct Moments {
  double beta1 = 0.9, beta2 = 0.999;
  float take1 = 0.1f, keep2 = 0.999f, take2 = 1e-3f;
  Moments(double b1, double b2)
      : beta1(b1),
        beta2(b2),
        take1(static_cast<float>(1 - b1)),
        keep2(static_cast<float>(b2)),
        take2(static_cast<float>(1 - b2)) {}
  GRAFT_DEVICE void add(float g, float& m, float& v) const {
    m += take1 * (g - m);
    v = keep2 * v + take2 * g * g;
  }
  /// 1 - βᵗ
  double correction1(int64_t t) const { return 1 - std::pow(beta1, static_cast<double>(t)); }
  double correction2(int64_t t) const { return 1 - std::pow(beta2, static_cast<double>(t)); }
};

// What several rules can be told.
inline constexpr SettingTraits kMu{.low = 0, .high = 1, .help = "µ, the part of the velocity that is kept"};
inline constexpr SettingTraits kBeta1{
    .low = 0, .high = 0.999999, .help = "β₁, the part of the mean gradient that is kept"};
inline constexpr SettingTraits kBeta2{
    .low = 0, .high = 0.9999999, .help = "β₂, the part of the mean squared gradient that is kept"};
inline constexpr SettingTraits kEpsilon{.low = 1e-38, .high = 1, .help = "ε, which keeps divisions finite"};

struct MomentumOnly {
  float momentum = 0.9f;
  void describe(SettingVisitor& visit) { visit("momentum", momentum, kMu); }
};

}  // namespace graft::rules
