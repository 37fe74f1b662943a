#include "finetune/training/device_loss.h"

#include "runtime/core/error.h"

namespace graft {

std::unique_ptr<DeviceLoss> DeviceLoss::make(TrainingPlan& plan, const TrainOptions& options, int64_t outputs) {
  const Backend& backend = plan.plan.backend();
  const TrainingKernels* const kernels = backend.training_kernels();
  if (!kernels) return nullptr;
  std::unique_ptr<DeviceLoss> made(
      new DeviceLoss(*backend.device(), static_cast<size_t>(options.batch), static_cast<size_t>(outputs)));
  made->loss_ = kernels->make_loss(options.loss, options.supervision.class_weights, options.batch, outputs);
  if (!made->loss_) return nullptr;
  for (size_t s = 0; s < plan.scores; ++s) {
    LossBatch head;
    head.scores = static_cast<const float*>(plan.plan.keep_output(s));
    head.slopes = static_cast<float*>(plan.plan.keep_input(plan.first_seed + s));
    head.labels = made->labels_.as<int>();
    made->heads_.push_back(head);
  }
  return made;
}

DeviceLoss::DeviceLoss(const Device& device, size_t batch, size_t outputs)
    : device_(device),
      labels_(device, batch * sizeof(int)),
      rows_(device, batch * outputs * sizeof(float)),
      teacher_(device, batch * outputs * sizeof(float)) {}

void DeviceLoss::upload(const FeedBatch& batch) {
  device_.upload(labels_.data(), batch.labels.data(), batch.labels.size() * sizeof(int));
  if (!batch.rows.empty()) device_.upload(rows_.data(), batch.rows.data(), rows_.bytes());
  if (batch.teacher) device_.upload(teacher_.data(), batch.teacher, teacher_.bytes());
  for (LossBatch& head : heads_) {
    head.rows = batch.rows.empty() ? nullptr : rows_.as<float>();
    head.teacher = batch.teacher ? teacher_.as<float>() : nullptr;
  }
}

void DeviceLoss::compute(float auxiliary_weight, float scale, bool keep) {
  for (size_t s = 0; s < heads_.size(); ++s) {
    heads_[s].scale = scale * (s == 0 ? 1.0f : auxiliary_weight);
    loss_->compute(heads_[s], keep && s == 0);
  }
}

DeviceLoss::Sums DeviceLoss::sums() {
  const LossKernel::Sums sums = loss_->sums();
  if (!sums.finite) throw Error("the network's scores are no longer finite numbers", "use a lower " + mention("lr"));
  return {sums.loss, sums.weight};
}

}  // namespace graft
