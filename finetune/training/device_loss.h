#pragma once

#include <memory>
#include <vector>

#include "finetune/training/feed.h"
#include "finetune/training/trainer.h"
#include "runtime/core/training_kernels.h"
#include "runtime/plan/plan.h"

namespace graft {

/// The loss on the device where a training plan runs: scores and slopes stay there, and targets are uploaded.
class DeviceLoss {
 public:
  /// Null where the plan's backend has no device or does not know the loss. `plan` outlives this object; its scores are
  /// no longer downloaded, nor slopes uploaded. `outputs`: scores a sample.
  static std::unique_ptr<DeviceLoss> make(TrainingPlan& plan, const TrainOptions& options, int64_t outputs);

  /// Queues the upload of a batch's targets, which must not change before the device is synchronised.
  void upload(const FeedBatch& batch);
  /// Queues loss and slopes of the plan's scores, and of its auxiliary heads' with this weight; slopes are multiplied
  /// by `scale`. With `keep` the loss is the one that sums() returns once the device is synchronised.
  void compute(float auxiliary_weight, float scale, bool keep);
  struct Sums {
    double loss = 0, weight = 0;
  };
  /// Throws Error where scores were not finite.
  Sums sums();

 private:
  DeviceLoss(const Device& device, size_t batch, size_t outputs);
  const Device& device_;
  DeviceBuffer labels_, rows_, teacher_;  // batch ints; batch × outputs floats
  std::unique_ptr<LossKernel> loss_;
  std::vector<LossBatch> heads_;  // the first is that of the scores
};

}  // namespace graft
