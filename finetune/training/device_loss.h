#pragma once

#include <memory>
#include <vector>

#include "finetune/losses/device_losses.h"
#include "finetune/training/feed.h"
#include "finetune/training/trainer.h"
#include "runtime/plan/plan.h"

namespace graft {

/// The loss on the device where a training plan runs: scores and slopes stay there, and targets go over.
class DeviceLoss {
 public:
  /// Null where the plan's backend has no memory of its own or does not know the loss. `plan` outlives this object; its
  /// scores no longer come to this side, nor do slopes go over. `outputs`: scores a sample.
  static std::unique_ptr<DeviceLoss> make(TrainingPlan& plan, const TrainOptions& options, int64_t outputs);
  ~DeviceLoss();
  DeviceLoss(const DeviceLoss&) = delete;
  DeviceLoss& operator=(const DeviceLoss&) = delete;

  /// Sends the targets of a batch over; it must not change before the next wait.
  void take(const FeedBatch& batch);
  /// Queues loss and slopes of the plan's scores, and of its auxiliary heads' with this weight; slopes are multiplied
  /// by `scale`. With `keep` the loss is the one that sums() tells after the next wait.
  void compute(float auxiliary_weight, float scale, bool keep);
  struct Sums {
    double loss = 0, weight = 0;
  };
  /// Throws Error where scores were not finite.
  Sums sums();

 private:
  explicit DeviceLoss(const DeviceMemory& memory) : memory_(memory) {}
  void* room(size_t bytes);
  const DeviceMemory& memory_;
  std::unique_ptr<LossKernel> loss_;
  std::vector<DeviceBatch> heads_;  // the first is that of the scores
  std::vector<void*> rooms_;
  int* labels_ = nullptr;
  float *rows_ = nullptr, *teacher_ = nullptr;
  size_t numbers_ = 0;  // batch × outputs
};

}  // namespace graft
