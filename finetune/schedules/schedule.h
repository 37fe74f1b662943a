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
  /// Told after each epoch, in order; a resumed run tells the epochs before it again. Only a schedule that waits for a
  /// plateau listens.
  virtual void observe(double /*validation_loss*/) {}
};
using SchedulePtr = std::unique_ptr<Schedule>;

struct ScheduleOptions {
  double epochs = 10;  // length of the run
  double warmup =
      0;  // epochs of linear rise from `warmup_start` before any schedule, which then has the rest of the run
  double warmup_start = 0;           // factor at the very beginning
  double step_every = 0;             // step: epochs between drops; 0: a third of the run
  double step_factor = 0.1;          // step, multi-step, plateau: what a drop multiplies by
  std::vector<double> milestones{};  // multi-step: epochs of the drops; none: after a half and three quarters
  double gamma = 0.95;               // exponential: factor an epoch
  double inverse_rate = 1;           // inverse-time: k
  double power = 1;                  // polynomial
  double restart_every = 0;          // cosine: epochs of the first cycle; 0: no restarts
  double restart_growth = 1;         // cosine: each cycle is so many times as long as the one before
  double rise = 0.3;                 // one-cycle: part of the run that climbs
  double start_division = 25, end_division = 1e4;  // one-cycle: begins at 1/25, ends at 1/(25·10⁴)
  int patience = 3;                                // plateau: epochs without progress that it bears
  double span = 1e6;                               // range-test: the last rate over the first
  double threshold = 1e-4;                         // plateau: relative progress that counts
};

/// With its warm-up, if any. Throws Error for an unknown name or options that make no sense.
SchedulePtr make_schedule(const std::string& name, const ScheduleOptions& options);
std::vector<std::string> schedule_names();

SchedulePtr make_constant_schedule(const ScheduleOptions& options);
SchedulePtr make_step_schedule(const ScheduleOptions& options);
SchedulePtr make_multi_step_schedule(const ScheduleOptions& options);
SchedulePtr make_exponential_schedule(const ScheduleOptions& options);
SchedulePtr make_inverse_time_schedule(const ScheduleOptions& options);
SchedulePtr make_polynomial_schedule(const ScheduleOptions& options);
SchedulePtr make_cosine_schedule(const ScheduleOptions& options);
SchedulePtr make_one_cycle_schedule(const ScheduleOptions& options);
SchedulePtr make_range_test_schedule(const ScheduleOptions& options);
SchedulePtr make_plateau_schedule(const ScheduleOptions& options);

/// A schedule that is a function of the epoch and nothing else.
template <typename Function>
SchedulePtr make_function_schedule(Function function) {
  class Plain final : public Schedule {
   public:
    explicit Plain(Function f) : function_(std::move(f)) {}
    double factor(double epoch) const override { return function_(epoch); }

   private:
    Function function_;
  };
  return std::make_unique<Plain>(std::move(function));
}

}  // namespace graft
