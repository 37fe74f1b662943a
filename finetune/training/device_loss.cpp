#include "finetune/training/device_loss.h"

#include "runtime/core/error.h"

namespace graft {

std::unique_ptr<DeviceLoss> DeviceLoss::make(TrainingPlan& plan, const TrainOptions& options, int64_t outputs) {
  const Backend& backend = plan.plan.backend();
  const auto* losses = dynamic_cast<const DeviceLosses*>(backend.extension(DeviceLosses::kName));
  if (!backend.memory() || !losses) return nullptr;
  std::unique_ptr<DeviceLoss> made(new DeviceLoss(*backend.memory()));
  made->loss_ = losses->make(options.loss, options.supervision.class_weights, options.batch, outputs);
  if (!made->loss_) return nullptr;
  const auto batch = static_cast<size_t>(options.batch);
  made->numbers_ = batch * static_cast<size_t>(outputs);
  made->labels_ = static_cast<int*>(made->room(batch * sizeof(int)));
  made->rows_ = static_cast<float*>(made->room(made->numbers_ * sizeof(float)));
  made->teacher_ = static_cast<float*>(made->room(made->numbers_ * sizeof(float)));
  for (size_t s = 0; s < plan.scores; ++s) {
    DeviceBatch head;
    head.scores = static_cast<const float*>(plan.plan.keep_output(s));
    head.slopes = static_cast<float*>(plan.plan.keep_input(plan.first_seed + s));
    head.labels = made->labels_;
    made->heads_.push_back(head);
  }
  return made;
}

DeviceLoss::~DeviceLoss() {
  loss_.reset();
  for (void* p : rooms_) memory_.release(p);
}

void* DeviceLoss::room(size_t bytes) {
  rooms_.push_back(memory_.allocate(bytes));
  return rooms_.back();
}

void DeviceLoss::take(const FeedBatch& batch) {
  memory_.upload(labels_, batch.labels.data(), batch.labels.size() * sizeof(int));
  if (!batch.rows.empty()) memory_.upload(rows_, batch.rows.data(), numbers_ * sizeof(float));
  if (batch.teacher) memory_.upload(teacher_, batch.teacher, numbers_ * sizeof(float));
  for (DeviceBatch& head : heads_) {
    head.rows = batch.rows.empty() ? nullptr : rows_;
    head.teacher = batch.teacher ? teacher_ : nullptr;
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
