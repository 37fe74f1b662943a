#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "finetune/schedules/schedule.h"
#include "runtime/core/error.h"

namespace graft::schedules {

/// factor = ½(1 + cos(π·t/T)) in each cycle of length T, the run itself where there are no restarts.  [Loshchilov &
/// Hutter 2017]
struct Cosine {
  static constexpr ComponentText kText{"cosine", "down along half a cosine, once or again and again",
                                       "factor = ½(1 + cos(π·t/T))  [Loshchilov & Hutter 2017]"};
  struct Options {
    double restart_every = 0, restart_growth = 1;
    void describe(SettingVisitor& visit) {
      visit("restart-every", restart_every,
            {.low = 0, .high = 1e6, .unit = "epochs", .help = "length of the first cycle (0: no restarts)"});
      visit("restart-growth", restart_growth,
            {.low = 1, .high = 100, .help = "each cycle's length over that of the one before"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan& run) {
    if (o.restart_every > 0 && o.restart_every < 1e-3)
      throw Error("must be 0 or at least a thousandth of an epoch").about("restart-every");
    return make_function_schedule([o, epochs = run.epochs](double epoch) {
      double length = o.restart_every > 0 ? o.restart_every : epochs, at = epoch;
      if (o.restart_every > 0) {
        constexpr double kRounding = 1e-9;
        if (o.restart_growth == 1) at = std::max(0.0, at - length * std::floor((at + kRounding) / length));
        while (o.restart_growth > 1 && at + kRounding >= length) {
          at = std::max(0.0, at - length);
          length *= o.restart_growth;
        }
      }
      return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, at / length)));
    });
  }
};

}  // namespace graft::schedules
