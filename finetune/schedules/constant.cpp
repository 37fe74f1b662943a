#include "finetune/schedules/schedule.h"

namespace graft {

/// factor = 1
SchedulePtr make_constant_schedule(const ScheduleOptions&) {
  return make_function_schedule([](double) { return 1.0; });
}

}  // namespace graft
