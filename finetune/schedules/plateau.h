#pragma once

#include <limits>

#include "finetune/schedules/schedule.h"
#include "finetune/schedules/step.h"

namespace graft::schedules {

/// Drops by the factor when the validation loss has made no progress for more than `patience` epochs. PyTorch's
/// ReduceLROnPlateau (mode min, relative threshold).
struct Plateau {
  static constexpr ComponentText kText{"plateau", "drops when the validation loss makes no progress",
                                       "factor = d^(plateaus so far), as PyTorch's ReduceLROnPlateau"};
  struct Options {
    double drop = 0.1, threshold = 1e-4;
    int patience = 3;
    void describe(SettingVisitor& visit) {
      visit("step-factor", drop, kDrop);
      visit("plateau-patience", patience,
            {.low = 0, .high = 100000, .unit = "epochs", .help = "how long it bears no progress"});
      visit("threshold", threshold, {.low = 0, .high = 1, .help = "progress that counts, as a part of the best loss"});
    }
  };
  static SchedulePtr make(const Options& o, const RunSpan&) { return std::make_unique<Watching>(o); }

 private:
  class Watching final : public Schedule {
   public:
    explicit Watching(const Options& o) : options_(o) {}
    double factor(double) const override { return factor_; }
    void observe(double loss) override {
      if (loss < best_ * (1 - options_.threshold)) {
        best_ = loss;
        bad_epochs_ = 0;
      } else if (++bad_epochs_ > options_.patience) {
        factor_ *= options_.drop;
        bad_epochs_ = 0;
      }
    }

   private:
    Options options_;
    double factor_ = 1, best_ = std::numeric_limits<double>::infinity();
    int bad_epochs_ = 0;
  };
};

}  // namespace graft::schedules
