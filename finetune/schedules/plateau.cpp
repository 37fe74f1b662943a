#include <limits>

#include "finetune/schedules/schedule.h"

namespace graft {
namespace {

/// Drops by the factor when the validation loss has made no progress for more than `patience` epochs. PyTorch's
/// ReduceLROnPlateau (mode min, relative threshold).
class Plateau final : public Schedule {
 public:
  explicit Plateau(const ScheduleOptions& o) : drop_(o.step_factor), threshold_(o.threshold), patience_(o.patience) {}
  double factor(double) const override { return factor_; }
  void observe(double loss) override {
    if (loss < best_ * (1 - threshold_)) {
      best_ = loss;
      bad_epochs_ = 0;
    } else if (++bad_epochs_ > patience_) {
      factor_ *= drop_;
      bad_epochs_ = 0;
    }
  }

 private:
  double drop_, threshold_, factor_ = 1, best_ = std::numeric_limits<double>::infinity();
  int patience_, bad_epochs_ = 0;
};

}  // namespace

SchedulePtr make_plateau_schedule(const ScheduleOptions& o) { return std::make_unique<Plateau>(o); }

}  // namespace graft
