#include "finetune/schedules/schedule.h"

namespace graft {
namespace {

/// factor = 1
class Constant final : public Schedule {
 public:
  double factor(double) const override { return 1; }
};

}  // namespace

SchedulePtr make_constant_schedule(const ScheduleOptions&) { return std::make_unique<Constant>(); }

}  // namespace graft
