#include <algorithm>
#include <cmath>

#include "finetune/schedules/schedule.h"

namespace graft {
namespace {

/// factor = γ^⌊epoch / every⌋
class Step final : public Schedule {
 public:
  Step(double every, double gamma) : every_(every), gamma_(gamma) {}
  double factor(double epoch) const override { return std::pow(gamma_, std::floor(epoch / every_ + 1e-9)); }

 private:
  double every_, gamma_;
};

}  // namespace

SchedulePtr make_step_schedule(const ScheduleOptions& o) {
  return std::make_unique<Step>(o.step_every > 0 ? o.step_every : std::max(1.0, std::ceil(o.epochs / 3)), o.step_factor);
}

}  // namespace graft
