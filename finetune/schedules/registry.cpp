#include <map>

#include "finetune/schedules/schedule.h"
#include "runtime/base/error.h"

namespace graft {
namespace {

const std::map<std::string, SchedulePtr (*)(const ScheduleOptions&)>& registry() {
  static const std::map<std::string, SchedulePtr (*)(const ScheduleOptions&)> table{{"constant", make_constant_schedule}, {"step", make_step_schedule}, {"cosine", make_cosine_schedule}};
  return table;
}

}  // namespace

SchedulePtr make_schedule(const std::string& name, const ScheduleOptions& options) {
  const auto it = registry().find(name);
  if (it != registry().end()) return it->second(options);
  std::string known;
  for (const std::string& k : schedule_names()) known += " " + k;
  throw Error("unknown schedule \"" + name + "\"", "known are" + known);
}

std::vector<std::string> schedule_names() {
  std::vector<std::string> names;
  for (const auto& [name, make] : registry()) names.push_back(name);
  return names;
}

}  // namespace graft
