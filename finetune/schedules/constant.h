#pragma once

#include "finetune/schedules/schedule.h"

namespace graft::schedules {

/// factor = 1
struct Constant {
  static constexpr ComponentText kText{"constant", "always the same rate", "factor = 1"};
  using Options = NoSettings;
  static SchedulePtr make(const Options&, const RunSpan&) {
    return make_function_schedule([](double) { return 1.0; });
  }
};

}  // namespace graft::schedules
