#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft {

/// factor = γ^epoch
SchedulePtr make_exponential_schedule(const ScheduleOptions& o) {
  return make_function_schedule([gamma = o.gamma](double epoch) { return std::pow(gamma, epoch); });
}

/// factor = 1/(1 + k·epoch)
SchedulePtr make_inverse_time_schedule(const ScheduleOptions& o) {
  return make_function_schedule([k = o.inverse_rate](double epoch) { return 1 / (1 + k * epoch); });
}

/// factor = (1 - epoch/epochs)^p
SchedulePtr make_polynomial_schedule(const ScheduleOptions& o) {
  return make_function_schedule([epochs = o.epochs, power = o.power](double epoch) {
    return std::pow(1 - std::min(1.0, epoch / epochs), power);
  });
}

}  // namespace graft
