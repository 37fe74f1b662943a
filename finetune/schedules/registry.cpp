#include "finetune/schedules/all.h"

namespace graft {
namespace {

const Components<SchedulePtr, RunSpan>& schedule_table() {
  static const Components<SchedulePtr, RunSpan> table = [] {
    Components<SchedulePtr, RunSpan> all("schedule", "schedule");
    for_each_type(schedules::All{}, [&]<typename Kind>() {
      all.add<Kind>([](const typename Kind::Options& options, const RunSpan& run) { return Kind::make(options, run); });
    });
    return all;
  }();
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

SchedulePtr make_schedule(const Choice& schedule, double epochs, const WarmUpOptions& warm_up) {
  if (warm_up.epochs <= 0) return schedule_table().make(schedule, RunSpan{epochs, 0});
  if (warm_up.epochs >= epochs)
    throw Error(shortest_text(warm_up.epochs) + " epochs leave nothing of the run",
                "make it shorter than " + mention("epochs"))
        .about("warmup");
  return std::make_unique<WarmUp>(schedule_table().make(schedule, RunSpan{epochs - warm_up.epochs, warm_up.epochs}),
                                  warm_up.epochs, warm_up.start);
}

const std::vector<ComponentInfo>& schedule_components() { return schedule_table().infos(); }

std::vector<std::string> schedule_names() { return schedule_table().names(); }

}  // namespace graft
