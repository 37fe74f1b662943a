#pragma once

#include <functional>
#include <memory>

#include "finetune/losses/loss.h"
#include "finetune/training/host_kernels.h"
#include "finetune/training/running_statistics.h"
#include "finetune/training/step_inputs.h"
#include "finetune/training/step_loss.h"
#include "finetune/training/trainer.h"
#include "finetune/training/training_state.h"
#include "finetune/training/weight_update.h"

namespace graft {

/// What happens to the weights: forward, loss, backward, and every so many batches an update. The same work in the same
/// order on every device; where each part is computed, choose_targets decides.
class TrainingStep {
 public:
  /// `state.parameters` must be those of `plan`, and `loss` and `optimizer` those of `options`; all must outlive this
  /// object. `outputs`: scores a sample. `accumulate`: batches an update.
  TrainingStep(TrainingPlan& plan, TrainingState& state, const Loss& loss, Optimizer& optimizer,
               const TrainOptions& options, int64_t outputs, int64_t accumulate);
  TrainingStep(const TrainingStep&) = delete;  // its parts refer to one another
  TrainingStep& operator=(const TrainingStep&) = delete;

  using Result = StepLoss::Sums;
  /// Forward and backward only: adds the batch to the accumulated gradient (needs `accumulate` > 1), which
  /// finish_accumulation() completes.
  Result measure(const FeedBatch& batch);
  void finish_accumulation() { update_.finish_accumulation(); }
  /// Forward only: adds the batch's means and (unbiased) variances of every trained batch norm.
  void forward_statistics(const FeedBatch& batch,
                          std::vector<std::pair<std::vector<double>, std::vector<double>>>& sums);
  /// One batch; `last` ends an accumulation early. `meanwhile` is called once, when all the work of the step is queued,
  /// to get the next batch and prefetch it.
  Result run(const FeedBatch& batch, float lr, bool last, const std::function<void()>& meanwhile = {});
  /// Starts to copy the inputs of the batch to the device that the next run() is for.
  void prefetch(const FeedBatch& next) { inputs_->prefetch(next); }
  /// Of the last run(), what changing the weights took of this thread's time; on a device, what queuing it took.
  double update_seconds() const { return update_seconds_; }
  /// After the last batch of an epoch: from here on, until the next run(), the parameters' tensors and the optimizer's
  /// state hold the current values.
  void synchronize();

 private:
  StepContext context() const;
  void forward_pass();
  void backward_pass();
  /// Forward, loss, and the slopes where the backward pass begins; `keep`: the loss is that of the step.
  void forward(bool keep);
  template <typename Work>
  void timed(const Work& work);
  /// All that run() does with a batch that was staged, up to the update where it is one of a single batch.
  void compute();
  /// The same as one captured graph, made when it is first asked for. False where there is none.
  bool replay();
  float scale() const { return state_.loss_scale ? static_cast<float>(state_.loss_scale->value) : 1.0f; }

  TrainingPlan& plan_;
  TrainingState& state_;
  const TrainOptions& options_;
  int64_t accumulate_, waiting_ = 0;
  const Device& device_;
  HostKernels host_;
  StepTargets targets_;
  std::unique_ptr<StepInputs> inputs_;
  StepLoss loss_;
  WeightUpdate update_;
  RunningStatistics statistics_;
  std::unique_ptr<Event> step_done_;
  double update_seconds_ = 0;
  bool warm_ = false;                        // compute() has run, so that kernels have chosen their algorithms
  bool capturing_ = false;                   // passes are queued as parts of a captured graph
  std::unique_ptr<CapturedGraph> captured_;  // null before the second step, and where a step cannot be captured
  float captured_scale_ = 1;                 // which is fixed in the captured graph
  /// For each output of a plan that releases gradients early: which parameter it is the gradient of.
  std::vector<size_t> parameter_of_;
};

}  // namespace graft
