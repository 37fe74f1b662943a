#pragma once

#include <memory>
#include <string>
#include <vector>

namespace graft {

/// The learning rate's factor over a run, at a position in epochs (fractions count steps inside an epoch).
class Schedule {
 public:
  virtual ~Schedule() = default;
  virtual double factor(double epoch) const = 0;
};
using SchedulePtr = std::unique_ptr<Schedule>;

struct ScheduleOptions {
  double epochs = 10;      // length of the run
  double step_every = 0;   // step: epochs between drops; 0: a third of the run
  double step_factor = 0.1;
};

SchedulePtr make_schedule(const std::string& name, const ScheduleOptions& options);
std::vector<std::string> schedule_names();

SchedulePtr make_constant_schedule(const ScheduleOptions& options);
SchedulePtr make_step_schedule(const ScheduleOptions& options);
SchedulePtr make_cosine_schedule(const ScheduleOptions& options);

}  // namespace graft
