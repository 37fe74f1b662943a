#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "finetune/losses/loss.h"
#include "finetune/training/device_loss.h"
#include "finetune/training/device_statistics.h"
#include "finetune/training/feed.h"
#include "finetune/training/picture_prefetcher.h"
#include "finetune/training/trainer.h"
#include "finetune/training/training_state.h"
#include "finetune/training/weight_update.h"
#include "runtime/plan/input_prefetcher.h"
#include "runtime/plan/plan.h"

namespace graft {

/// What happens to the weights: forward, loss, backward, and every so many batches an update.
class TrainingStep {
 public:
  /// `state.parameters` must be those of `plan`; all must outlive this object. `outputs`: scores a sample.
  /// `accumulate`: batches an update.
  TrainingStep(TrainingPlan& plan, TrainingState& state, const Loss& loss, Optimizer& optimizer,
               const TrainOptions& options, int64_t outputs, int64_t accumulate);

  struct Result {
    double loss = 0, weight = 0;  // sums over the batch's samples
  };
  /// Forward and backward only: adds the batch to the accumulated gradient (needs `accumulate` > 1), which gather()
  /// completes.
  Result measure(const FeedBatch& batch);
  void gather() { update_->gather(); }
  /// Forward only: adds the batch's means and (unbiased) variances of every trained batch norm.
  void forward_statistics(const FeedBatch& batch,
                          std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums);
  /// One batch; `last` ends an accumulation early. `meanwhile` is called once, when the device's work is
  /// queued, to get the next batch and prefetch it; elsewhere when the step is done.
  Result run(const FeedBatch& batch, float lr, bool last, const std::function<void()>& meanwhile = {});
  /// Starts to copy the inputs of the batch to the device that the next run() is for.
  void prefetch(const FeedBatch& next);
  /// Of the last run(), what changing the weights took of this program's time. Where a device does that, it is not
  /// told.
  double update_seconds() const { return update_seconds_; }
  /// After the last batch of an epoch: from here on, until the next run(), the parameters' tensors and the optimizer's
  /// state hold the current values.
  void synchronize();

 private:
  StepContext context() const;
  /// Makes the batch's inputs the plan's.
  void bring(const FeedBatch& batch);
  void forward_pass();
  void backward_pass();
  /// Forward, loss, and the slopes where the backward pass begins. Where the loss is worked out on the device, the
  /// result is not known before its sums; `keep`: they are those of this pass.
  Result forward(const FeedBatch& batch, bool keep);
  void update_statistics();
  template <typename Work>
  void timed(const Work& work);
  /// All that run() does with a batch that was brought, up to the update where it is one of a single batch. The result
  /// is as forward()'s.
  Result compute(const FeedBatch& batch);
  /// The same as one recording of what the device has to do, made when it is first asked for. False where there is
  /// none.
  bool replay();
  float scale() const { return state_.loss_scale ? static_cast<float>(state_.loss_scale->value) : 1.0f; }

  TrainingPlan& plan_;
  TrainingState& state_;
  const Loss& loss_;
  const TrainOptions& options_;
  size_t scores_;
  int64_t accumulate_, waiting_ = 0;
  std::unique_ptr<WeightUpdate> update_;
  std::unique_ptr<DeviceLoss> device_loss_;              // null where this program works out the loss
  std::unique_ptr<DeviceStatistics> device_statistics_;  // null where running statistics are kept on this side
  std::unique_ptr<Event> step_done_;                     // null where there is no device
  std::unique_ptr<InputPrefetcher> inputs_;              // null where there is no device, and before the first batch
  std::unique_ptr<PicturePrefetcher> pictures_;          // null where pictures come as floats too
  double update_seconds_ = 0;
  bool warm_ = false;       // compute() has run, so that kernels have chosen their ways
  bool capturing_ = false;  // passes are queued as parts of something larger
  std::unique_ptr<CapturedGraph>
      captured_;  // null before the second step, and where some of a step is this program's work
  std::vector<size_t>
      parameter_of_;          // for each output of a plan whose gradients pass: which parameter it is the gradient of
  float captured_scale_ = 1;  // which is fixed in the recording
};

}  // namespace graft
