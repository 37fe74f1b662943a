#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft {

/// factor = span^(epoch/epochs - 1): from 1/span to 1, by the same factor each step.  [Smith 2017]
SchedulePtr make_range_test_schedule(const ScheduleOptions& o) {
  return make_function_schedule(
      [epochs = o.epochs, span = o.span](double epoch) { return std::pow(span, std::min(1.0, epoch / epochs) - 1); });
}

}  // namespace graft
