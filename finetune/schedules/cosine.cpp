#include <algorithm>
#include <cmath>
#include <numbers>

#include "finetune/schedules/schedule.h"

namespace graft {

/// factor = ½(1 + cos(π·t/T)) in each cycle of length T, the run itself where there are no restarts.  [Loshchilov &
/// Hutter 2017]
SchedulePtr make_cosine_schedule(const ScheduleOptions& o) {
  return make_function_schedule([o](double epoch) {
    double length = o.restart_every > 0 ? o.restart_every : o.epochs, at = epoch;
    if (o.restart_every > 0) {
      constexpr double kRounding = 1e-9;
      while (at + kRounding >= length) {
        at = std::max(0.0, at - length);
        length *= o.restart_growth;
      }
    }
    return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, at / length)));
  });
}

}  // namespace graft
