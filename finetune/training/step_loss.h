#pragma once

#include <memory>
#include <vector>

#include "finetune/training/feed.h"
#include "finetune/training/step_target.h"

namespace graft {

/// The loss of a training plan's scores, and the slopes with which its backward pass begins.
class StepLoss {
 public:
  /// `plan` and what `target` refers to outlive this object. `outputs`: scores a sample.
  StepLoss(TrainingPlan& plan, const TrainOptions& options, const StepTarget& target, int64_t outputs);

  /// Before compute(): the batch's targets, which stay as they are until the device is synchronised.
  void upload(const FeedBatch& batch);
  /// Computes loss and slopes of the scores, and slopes of auxiliary heads with their weight; slopes are multiplied by
  /// `scale`. With `keep`, sums() returns this loss once the device is synchronised.
  void compute(float scale, bool keep);
  struct Sums {
    double loss = 0, weight = 0;  // over the batch's samples
  };
  /// Throws Error where scores were not finite.
  Sums sums() const;

 private:
  /// `host` itself where kernels read the program's memory, else its copy, whose upload is queued.
  template <typename T>
  const T* uploaded(const T* host, const DeviceBuffer& copy) const;

  const Device& device_;
  float auxiliary_weight_;
  DeviceBuffer labels_, rows_, teacher_, weights_;  // as in LossBatch; empty where nothing is copied
  std::unique_ptr<LossKernel> loss_;
  std::vector<LossBatch> heads_;  // the first is that of the scores
};

}  // namespace graft
