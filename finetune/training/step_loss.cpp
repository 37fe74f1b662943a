#include "finetune/training/step_loss.h"

#include "finetune/losses/not_finite.h"
#include "runtime/core/error.h"

namespace graft {

StepLoss::StepLoss(TrainingPlan& plan, const TrainOptions& options, const StepTarget& target, int64_t outputs)
    : device_(target.device),
      auxiliary_weight_(options.supervision.auxiliary_weight),
      loss_(target.kernels.make_loss(options.loss, options.supervision.class_weights, options.batch, outputs)) {
  if (!device_.shares_host_memory()) {
    const auto batch = static_cast<size_t>(options.batch), numbers = batch * static_cast<size_t>(outputs);
    labels_ = DeviceBuffer(device_, batch * sizeof(int));
    rows_ = DeviceBuffer(device_, numbers * sizeof(float));
    teacher_ = DeviceBuffer(device_, numbers * sizeof(float));
    weights_ = DeviceBuffer(device_, batch * sizeof(float));
  }
  for (size_t s = 0; s < plan.scores; ++s) {
    LossBatch head;
    head.scores = target.output(plan.plan, s);
    head.slopes = target.input(plan.plan, plan.first_seed + s);
    heads_.push_back(head);
  }
}

template <typename T>
const T* StepLoss::uploaded(const T* host, const DeviceBuffer& copy) const {
  if (!host || !copy) return host;
  device_.upload(copy.data(), host, copy.bytes());
  return copy.as<T>();
}

void StepLoss::upload(const FeedBatch& batch) {
  const int* const labels = uploaded(batch.labels.data(), labels_);
  const float* const rows = uploaded(batch.rows.empty() ? nullptr : batch.rows.data(), rows_);
  const float* const teacher = uploaded(batch.teacher, teacher_);
  const float* const weights = uploaded(batch.weights.data(), weights_);
  for (LossBatch& head : heads_) {
    head.labels = labels;
    head.rows = rows;
    head.teacher = teacher;
    head.weights = weights;
  }
}

// Auxiliary heads add to the slopes. The loss that is reported stays that of the scores, as in validation.
void StepLoss::compute(float scale, bool keep) {
  for (size_t s = 0; s < heads_.size(); ++s) {
    heads_[s].scale = scale * (s == 0 ? 1.0f : auxiliary_weight_);
    loss_->compute(heads_[s], keep && s == 0);
  }
}

StepLoss::Sums StepLoss::sums() const {
  const LossKernel::Sums sums = loss_->sums();
  if (!sums.finite) throw ScoresNotFinite();
  return {sums.loss, sums.weight};
}

}  // namespace graft
