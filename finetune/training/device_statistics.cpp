#include "finetune/training/device_statistics.h"

namespace graft {

std::unique_ptr<DeviceStatistics> DeviceStatistics::make(TrainingPlan& plan) {
  const Backend& backend = plan.plan.backend();
  const auto* vectors = dynamic_cast<const DeviceVectorsExtension*>(backend.extension(DeviceVectorsExtension::kName));
  if (!backend.memory() || !vectors || plan.statistics.empty()) return nullptr;
  std::unique_ptr<DeviceStatistics> made(new DeviceStatistics(plan));
  std::vector<int64_t> counts;
  std::vector<float> keep, take;
  for (const auto& s : plan.statistics) {
    const float unbias = s.count > 1 ? static_cast<float>(s.count) / static_cast<float>(s.count - 1) : 1.0f;
    for (const bool variance : {false, true}) {
      const int64_t channels = s.mean->elements();
      counts.push_back(channels);
      keep.push_back(s.momentum);
      take.push_back((1 - s.momentum) * (variance ? unbias : 1.0f));
      made->running_.push_back(
          static_cast<float*>(made->memory_.allocate(static_cast<size_t>(channels) * sizeof(float))));
      made->measured_.push_back(
          static_cast<float*>(plan.plan.keep_output(variance ? s.variance_output : s.mean_output)));
    }
  }
  made->vectors_ = vectors->make(counts);
  made->running_list_ = made->vectors_->list(made->running_);
  made->measured_list_ = made->vectors_->list(made->measured_);
  made->keep_ = made->vectors_->factors(keep);
  made->take_ = made->vectors_->factors(take);
  return made;
}

DeviceStatistics::~DeviceStatistics() {
  vectors_.reset();
  for (float* room : running_) memory_.release(room);
}

template <typename Body>
void DeviceStatistics::for_running(const Body& body) const {
  for (size_t i = 0; i < plan_.statistics.size(); ++i) {
    body(*plan_.statistics[i].mean, running_[2 * i]);
    body(*plan_.statistics[i].variance, running_[2 * i + 1]);
  }
}

void DeviceStatistics::leave() {
  if (!away_) for_running([&](const Tensor& here, float* there) { memory_.upload(there, here.raw(), here.bytes()); });
  away_ = true;
}

void DeviceStatistics::update() { vectors_->blend(running_list_, measured_list_, keep_, take_); }

void DeviceStatistics::fetch(size_t i, std::vector<float>& mean, std::vector<float>& variance) const {
  const auto channels = static_cast<size_t>(plan_.statistics[i].mean->elements());
  mean.resize(channels);
  variance.resize(channels);
  memory_.download(mean.data(), measured_[2 * i], channels * sizeof(float));
  memory_.download(variance.data(), measured_[2 * i + 1], channels * sizeof(float));
  memory_.wait();
}

void DeviceStatistics::synchronize() {
  if (!away_) return;
  for_running([&](Tensor& here, float* there) { memory_.download(here.raw(), there, here.bytes()); });
  memory_.wait();
  away_ = false;
}

}  // namespace graft
