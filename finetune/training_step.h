#pragma once

#include <memory>
#include <optional>

#include "finetune/feed.h"
#include "finetune/losses/loss.h"
#include "finetune/resident_loss.h"
#include "finetune/trainer.h"
#include "finetune/training_state.h"
#include "finetune/weight_update.h"
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
  void gather() { update_->gather(); }
  /// Forward only: adds the batch's means and (unbiased) variances of every trained batch norm.
  void forward_statistics(const FeedBatch& batch, std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums);
  /// One batch; `last` ends an accumulation early.
  Result run(const FeedBatch& batch, float lr, bool last);
  /// After the last batch of an epoch: from here on, until the next run(), the parameters' tensors and the optimizer's state hold what is true.
  void settle() { update_->settle(); }

 private:
  StepContext context() const;
  /// Forward, loss, and the slopes where the backward pass begins. Where the loss is worked out on the device, the result is not known before
  /// its sums; `keep`: they are those of this pass.
  Result forward(const FeedBatch& batch, bool keep);
  void update_statistics();

  TrainingPlan& plan_;
  TrainingState& state_;
  const Loss& loss_;
  const TrainOptions& options_;
  size_t scores_;
  int64_t accumulate_, waiting_ = 0;
  std::unique_ptr<WeightUpdate> update_;
  std::unique_ptr<ResidentLoss> resident_loss_;  // null where this program works out the loss
};

}  // namespace graft
