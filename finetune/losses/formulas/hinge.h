#pragma once

#include "finetune/losses/formulas/formula.h"

namespace graft::formulas {

struct HingeOptions {
  double margin = 1;
  void describe(SettingVisitor& visit) {
    visit("margin", margin, {.low = 0, .high = 1000, .help = "Δ, the lead that the true score must have"});
  }
};

/// L = Σ_{j≠y} max(0, f_j - f_y + Δ)ᵖ with p = 1 [Weston & Watkins 1999] or 2 (squared).
struct Hinge : FormulaDefaults {
  static constexpr ComponentText kText{"hinge", "multiclass support vector machine",
                                       "L = Σ_{j≠y} max(0, f_j - f_y + Δ)  [Weston & Watkins 1999]"};
  using Options = HingeOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Hinge{{}, o.margin, false});
  }
  static constexpr bool kTakesRows = false;
  double margin = 1;
  bool squared = false;
  GRAFT_DEVICE double operator()(std::span<const float> f, const Target& y, std::span<float> grad, Row row) const {
    const auto truth = static_cast<size_t>(y.label);
    double loss = 0, pull = 0;
    GRAFT_FOR_COLUMNS(j, f, row) {
      const double excess = static_cast<double>(f[j]) - static_cast<double>(f[truth]) + margin;
      if (j == truth || excess <= 0) continue;
      loss += squared ? excess * excess : excess;
      const double slope = squared ? 2 * excess : 1;
      grad[j] += static_cast<float>(slope);
      pull += slope;
    }
    pull = row.sum(pull);
    // By the thread whose column it is, so that each slope has one writer.
    if (truth % static_cast<size_t>(row.size()) == static_cast<size_t>(row.lane()))
      grad[truth] -= static_cast<float>(pull);
    return row.sum(loss);
  }
};

struct SquaredHinge {
  static constexpr ComponentText kText{"squared-hinge", "hinge that punishes large violations more",
                                       "L = Σ_{j≠y} max(0, f_j - f_y + Δ)²"};
  using Options = HingeOptions;
  template <typename Use>
  static auto make(const Options& o, const Use& use) {
    return use(Hinge{{}, o.margin, true});
  }
};

}  // namespace graft::formulas
