#pragma once

#include <memory>
#include <vector>

#include "runtime/core/training_kernels.h"
#include "runtime/plan/plan.h"

namespace graft {

/// Running means and variances of trained batch norms on the device where a plan runs, so that no step waits for what
/// its norms measured. Between epochs the tensors hold the current values.
class DeviceStatistics {
 public:
  /// Null where there are none, or the plan's backend has no device. `plan` outlives the result; what its norms measure
  /// is no longer downloaded.
  static std::unique_ptr<DeviceStatistics> make(TrainingPlan& plan);

  /// Before update(), at least once after synchronize(): uploads the running ones.
  void upload();
  /// Queues running ← momentum·running + (1 - momentum)·measured, with the unbiased variance.
  void update();
  /// What norm i measured in the last pass, mean and biased variance. Waits.
  void fetch(size_t i, std::vector<float>& mean, std::vector<float>& variance) const;
  /// Downloads the running ones.
  void synchronize();

 private:
  explicit DeviceStatistics(TrainingPlan& plan) : plan_(plan), device_(*plan.plan.backend().device()) {}
  /// body(tensor of this program, where the device keeps it) for all.
  template <typename Body>
  void for_running(const Body& body) const;
  TrainingPlan& plan_;
  const Device& device_;
  std::unique_ptr<MultiTensor> tensors_;
  std::vector<DeviceBuffer> running_;  // of each norm the mean, then the variance
  std::vector<float*> measured_;       // in the same order
  MultiTensor::List running_list_{}, measured_list_{};
  MultiTensor::Factors keep_{}, blend_{};
  bool on_device_ = false;  // the current values are on the device
};

}  // namespace graft
