#include "finetune/training/device_statistics.h"

namespace graft {

std::unique_ptr<DeviceStatistics> DeviceStatistics::make(TrainingPlan& plan) {
  const Backend& backend = plan.plan.backend();
  const TrainingKernels* const kernels = backend.training_kernels();
  if (!kernels || plan.statistics.empty()) return nullptr;
  std::unique_ptr<DeviceStatistics> made(new DeviceStatistics(plan));
  std::vector<int64_t> counts;
  std::vector<float> keep, take;
  std::vector<float*> running;
  for (const auto& s : plan.statistics) {
    const float unbias = s.count > 1 ? static_cast<float>(s.count) / static_cast<float>(s.count - 1) : 1.0f;
    for (const bool variance : {false, true}) {
      const int64_t channels = s.mean->elements();
      counts.push_back(channels);
      keep.push_back(s.momentum);
      take.push_back((1 - s.momentum) * (variance ? unbias : 1.0f));
      running.push_back(
          made->running_.emplace_back(made->device_, static_cast<size_t>(channels) * sizeof(float)).as<float>());
      made->measured_.push_back(
          static_cast<float*>(plan.plan.keep_output(variance ? s.variance_output : s.mean_output)));
    }
  }
  made->tensors_ = kernels->make_multi_tensor(counts);
  made->running_list_ = made->tensors_->add_list(running);
  made->measured_list_ = made->tensors_->add_list(made->measured_);
  made->keep_ = made->tensors_->add_factors(keep);
  made->blend_ = made->tensors_->add_factors(take);
  return made;
}

template <typename Body>
void DeviceStatistics::for_running(const Body& body) const {
  for (size_t i = 0; i < plan_.statistics.size(); ++i) {
    body(*plan_.statistics[i].mean, running_[2 * i].as<float>());
    body(*plan_.statistics[i].variance, running_[2 * i + 1].as<float>());
  }
}

void DeviceStatistics::upload() {
  if (!on_device_)
    for_running([&](const Tensor& tensor, float* copy) { device_.upload(copy, tensor.raw(), tensor.bytes()); });
  on_device_ = true;
}

void DeviceStatistics::update() { tensors_->blend(running_list_, measured_list_, keep_, blend_); }

void DeviceStatistics::fetch(size_t i, std::vector<float>& mean, std::vector<float>& variance) const {
  const auto channels = static_cast<size_t>(plan_.statistics[i].mean->elements());
  mean.resize(channels);
  variance.resize(channels);
  device_.download(mean.data(), measured_[2 * i], channels * sizeof(float));
  device_.download(variance.data(), measured_[2 * i + 1], channels * sizeof(float));
  device_.synchronize();
}

void DeviceStatistics::synchronize() {
  if (!on_device_) return;
  for_running([&](Tensor& tensor, const float* copy) { device_.download(tensor.raw(), copy, tensor.bytes()); });
  device_.synchronize();
  on_device_ = false;
}

}  // namespace graft
