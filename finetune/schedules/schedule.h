#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/core/component.h"

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

/// The part of a run that a schedule has: all of it, or what a warm-up leaves.
struct RunSpan {
  double epochs = 10;
  double start = 0;  // in the whole run
};

/// A linear rise from `start` to 1 in front of any schedule, which then has the rest of the run.
struct WarmUpOptions {
  double epochs = 0, start = 0;
  void describe(SettingVisitor& visit) {
    visit("warmup", epochs, {.low = 0, .high = 1e6, .unit = "epochs", .help = "length of a linear rise in front"});
    visit("warmup-start", start, {.low = 0, .high = 1, .help = "part of the rate that the rise begins with"});
  }
};

/// By its name and what is set of it, for a run of so many epochs. Throws Error for an unknown name or a warm-up that
/// leaves nothing.
SchedulePtr make_schedule(const Choice& schedule, double epochs, const WarmUpOptions& warm_up = {});
/// Every schedule, in alphabetical order.
const std::vector<ComponentInfo>& schedule_components();
std::vector<std::string> schedule_names();

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
