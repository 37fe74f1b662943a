#include "finetune/schedules/schedule.h"
#include "runtime/base/registry.h"

namespace graft {
namespace {

const Registry<SchedulePtr, const ScheduleOptions&>& registry() {
  static const Registry<SchedulePtr, const ScheduleOptions&> table(
      "schedule", {{"constant", make_constant_schedule}, {"step", make_step_schedule}, {"cosine", make_cosine_schedule}});
  return table;
}

}  // namespace

SchedulePtr make_schedule(const std::string& name, const ScheduleOptions& options) { return registry().make(name, options); }

std::vector<std::string> schedule_names() { return registry().names(); }

}  // namespace graft
