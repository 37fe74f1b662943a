#include "runtime/core/registry.h"
#include "finetune/schedules/schedule.h"

namespace graft {
namespace {

const Registry<SchedulePtr, const ScheduleOptions&>& registry() {
  static const Registry<SchedulePtr, const ScheduleOptions&> table("schedule",
                                                                   {
                                                                       {"constant", make_constant_schedule},
                                                                       {"step", make_step_schedule},
                                                                       {"multi-step", make_multi_step_schedule},
                                                                       {"exponential", make_exponential_schedule},
                                                                       {"inverse-time", make_inverse_time_schedule},
                                                                       {"polynomial", make_polynomial_schedule},
                                                                       {"cosine", make_cosine_schedule},
                                                                       {"one-cycle", make_one_cycle_schedule},
                                                                       {"plateau", make_plateau_schedule},
                                                                       {"range-test", make_range_test_schedule},
                                                                   });
  return table;
}

/// A linear rise, then another schedule over what is left of the run.
class WarmUp final : public Schedule {
 public:
  WarmUp(SchedulePtr then, double length, double start) : then_(std::move(then)), length_(length), start_(start) {}
  double factor(double epoch) const override {
    return epoch < length_ ? start_ + (1 - start_) * epoch / length_ : then_->factor(epoch - length_);
  }
  void observe(double loss) override { then_->observe(loss); }

 private:
  SchedulePtr then_;
  double length_, start_;
};

}  // namespace

SchedulePtr make_schedule(const std::string& name, const ScheduleOptions& options) {
  if (options.warmup <= 0) return registry().make(name, options);
  if (options.warmup >= options.epochs)
    throw Error("a warm-up of " + std::to_string(options.warmup) + " epochs leaves nothing of the run",
                "make it shorter than --epochs");
  ScheduleOptions rest = options;
  rest.epochs -= options.warmup;
  for (double& m : rest.milestones) m -= options.warmup;
  return std::make_unique<WarmUp>(registry().make(name, rest), options.warmup, options.warmup_start);
}

std::vector<std::string> schedule_names() { return registry().names(); }

}  // namespace graft
