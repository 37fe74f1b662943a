#include "finetune/training/running_statistics.h"

namespace graft {

RunningStatistics::RunningStatistics(TrainingPlan& plan, const StepTarget& target) : device_(target.device) {
  std::vector<float> keep, blend;
  std::vector<float*> running;
  for (const auto& s : plan.statistics) {
    const float unbias = s.count > 1 ? static_cast<float>(s.count) / static_cast<float>(s.count - 1) : 1.0f;
    for (const bool variance : {false, true}) {
      Tensor& tensor = variance ? *s.variance : *s.mean;
      counts_.push_back(tensor.elements());
      keep.push_back(s.momentum);
      blend.push_back((1 - s.momentum) * (variance ? unbias : 1.0f));
      running.push_back(running_.emplace_back(device_, tensor.data<float>()).data());
      measured_.push_back(target.output(plan.plan, variance ? s.variance_output : s.mean_output));
    }
  }
  if (counts_.empty()) return;
  tensors_ = target.kernels.make_multi_tensor(counts_);
  running_list_ = tensors_->add_list(running);
  measured_list_ = tensors_->add_list(measured_);
  keep_ = tensors_->add_factors(keep);
  blend_ = tensors_->add_factors(blend);
}

void RunningStatistics::upload() {
  if (uploaded_) return;
  for (const Mirror& m : running_) m.upload();
  uploaded_ = true;
}

void RunningStatistics::update() {
  if (tensors_) tensors_->blend(running_list_, measured_list_, keep_, blend_);
}

std::span<const float> RunningStatistics::downloaded(const float* from, size_t count, std::vector<float>& to) const {
  if (device_.shares_host_memory()) return {from, count};
  to.resize(count);
  device_.download(to.data(), from, count * sizeof(float));
  return to;
}

RunningStatistics::Measured RunningStatistics::measured(size_t i) {
  const auto channels = static_cast<size_t>(counts_[2 * i]);
  const Measured found{downloaded(measured_[2 * i], channels, mean_),
                       downloaded(measured_[2 * i + 1], channels, variance_)};
  device_.synchronize();
  return found;
}

void RunningStatistics::synchronize() {
  if (!uploaded_) return;
  for (const Mirror& m : running_) m.download();
  device_.synchronize();
  uploaded_ = false;
}

}  // namespace graft
