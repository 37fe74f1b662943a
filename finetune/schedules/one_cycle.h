#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "finetune/schedules/schedule.h"

namespace graft::schedules {

/// Up from 1/start to 1 in the first part of the run, down to 1/(start·end) in the rest, both along half a cosine.
/// [Smith & Topin 2018], as PyTorch's OneCycleLR has it
struct OneCycle {
  static constexpr ComponentText kText{"one-cycle", "up to the rate and down to almost nothing",
                                       "half a cosine up, half a cosine down  [Smith & Topin 2018]"};
  struct Options {
    double rise = 0.3, start_division = 25, end_division = 1e4;
    void describe(SettingVisitor& visit) {
      visit("rise", rise, {.low = 1e-6, .high = 0.999999, .help = "part of the run that climbs"});
      visit("start-division", start_division, {.low = 1, .high = 1e9, .help = "the rate over the one it begins with"});
      visit("end-division", end_division, {.low = 1, .high = 1e12, .help = "the first rate over the last"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan& run) {
    return make_function_schedule([o, epochs = run.epochs](double epoch) {
      const auto along = [](double from, double to, double part) {
        return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * std::clamp(part, 0.0, 1.0)));
      };
      const double top = o.rise * epochs, low = 1 / o.start_division;
      return epoch < top ? along(low, 1, epoch / top) : along(1, low / o.end_division, (epoch - top) / (epochs - top));
    });
  }
};

}  // namespace graft::schedules
