#pragma once

#include <memory>
#include <optional>

#include "finetune/feed.h"
#include "finetune/gradient_work.h"
#include "finetune/losses/loss.h"
#include "finetune/resident_loss.h"
#include "finetune/resident_update.h"
#include "finetune/trainer.h"
#include "finetune/training_state.h"
#include "finetune/weight_copies.h"
#include "runtime/plan.h"

namespace graft {

/// What happens to the weights: forward, loss, backward, and every so many batches an update.
class TrainingStep {
 public:
  /// `state.parameters` must be those of `plan`; all must outlive this object. `outputs`: scores a sample. `accumulate`: batches an update.
  TrainingStep(TrainingPlan& plan, TrainingState& state, const Loss& loss, Optimizer& optimizer, const TrainOptions& options, int64_t outputs, int64_t accumulate);

  struct Result {
    double loss = 0, weight = 0;  // sums over the batch's samples
  };
  /// Forward and backward only: adds the batch to the accumulated gradient (needs `accumulate` > 1), which gather() completes.
  Result measure(const FeedBatch& batch);
  void gather() { accumulator_->finish(); }
  /// Forward only: adds the batch's means and (unbiased) variances of every trained batch norm.
  void forward_statistics(const FeedBatch& batch, std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums);
  /// One batch; `last` ends an accumulation early.
  Result run(const FeedBatch& batch, float lr, bool last);
  /// After the last batch of an epoch: from here on, until the next run(), the parameters' tensors and the optimizer's state hold what is true.
  void settle();

 private:
  Result forward(const FeedBatch& batch);
  /// The whole step on the device; only the sums of the loss, and what batch norms measured, come back.
  Result run_there(const FeedBatch& batch, float lr);
  void update_statistics();
  void update(float lr);

  TrainingPlan& plan_;
  TrainingState& state_;
  const Loss& loss_;
  Optimizer& optimizer_;
  const TrainOptions& options_;
  size_t scores_;
  int64_t accumulate_, waiting_ = 0;
  std::optional<GradientAccumulator> accumulator_;
  std::optional<SharpnessStep> sharpness_;
  std::unique_ptr<ResidentUpdate> resident_;  // null where this program updates
  std::unique_ptr<ResidentLoss> resident_loss_;  // null where this program works out the loss
};

}  // namespace graft
