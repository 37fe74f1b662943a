#pragma once

#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft::schedules {

inline constexpr double kEpochRounding = 1e-9;  // positions are sums of fractions of epochs
inline constexpr SettingTraits kDrop{.low = 0, .high = 1, .help = "what a drop multiplies the rate by"};

/// factor = d^⌊epoch / every⌋
struct Step {
  static constexpr ComponentText kText{"step", "drops after each so many epochs", "factor = d^⌊epoch/every⌋"};
  struct Options {
    double every = 0, drop = 0.1;
    void describe(SettingVisitor& visit) {
      visit("step-every", every,
            {.low = 0, .high = 1e6, .unit = "epochs", .help = "time between drops (0: a third of the run)"});
      visit("step-factor", drop, kDrop);
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan& run) {
    const double every = o.every > 0 ? o.every : std::max(1.0, std::ceil(run.epochs / 3));
    return make_function_schedule(
        [every, drop = o.drop](double epoch) { return std::pow(drop, std::floor(epoch / every + kEpochRounding)); });
  }
};

/// factor = d^(milestones passed)
struct MultiStep {
  static constexpr ComponentText kText{"multi-step", "drops at given epochs", "factor = d^(milestones passed)"};
  struct Options {
    std::vector<double> milestones{};
    double drop = 0.1;
    void describe(SettingVisitor& visit) {
      visit("milestones", milestones,
            {.low = 0, .high = 1e6, .unit = "epochs", .help = "when it drops (none: after a half and three quarters)"});
      visit("step-factor", drop, kDrop);
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan& run) {
    std::vector<double> milestones = o.milestones;
    for (double& m : milestones) m -= run.start;
    if (milestones.empty()) milestones = {run.epochs / 2, run.epochs * 3 / 4};
    return make_function_schedule([milestones, drop = o.drop](double epoch) {
      const auto passed =
          std::count_if(milestones.begin(), milestones.end(), [&](double m) { return epoch + kEpochRounding >= m; });
      return std::pow(drop, static_cast<double>(passed));
    });
  }
};

}  // namespace graft::schedules
