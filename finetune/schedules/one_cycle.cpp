#include <algorithm>
#include <cmath>
#include <numbers>

#include "finetune/schedules/schedule.h"

namespace graft {

/// Up from 1/start to 1 in the first part of the run, down to 1/(start·end) in the rest, both along half a cosine.
/// [Smith & Topin 2018], as PyTorch's OneCycleLR has it
SchedulePtr make_one_cycle_schedule(const ScheduleOptions& o) {
  return make_function_schedule([o](double epoch) {
    const auto along = [](double from, double to, double part) {
      return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * std::clamp(part, 0.0, 1.0)));
    };
    const double top = o.rise * o.epochs, low = 1 / o.start_division;
    return epoch < top ? along(low, 1, epoch / top) : along(1, low / o.end_division, (epoch - top) / (o.epochs - top));
  });
}

}  // namespace graft
