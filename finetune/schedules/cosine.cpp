#include <algorithm>
#include <cmath>
#include <numbers>

#include "finetune/schedules/schedule.h"

namespace graft {
namespace {

/// factor = ½(1 + cos(π·epoch/epochs)).  [Loshchilov & Hutter 2017, without restarts]
class Cosine final : public Schedule {
 public:
  explicit Cosine(double epochs) : epochs_(epochs) {}
  double factor(double epoch) const override { return 0.5 * (1 + std::cos(std::numbers::pi * std::min(1.0, epoch / epochs_))); }

 private:
  double epochs_;
};

}  // namespace

SchedulePtr make_cosine_schedule(const ScheduleOptions& o) { return std::make_unique<Cosine>(o.epochs); }

}  // namespace graft
