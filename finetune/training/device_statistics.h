#pragma once

#include <memory>
#include <vector>

#include "finetune/optimizers/device_vectors.h"
#include "runtime/plan/plan.h"

namespace graft {

/// Running means and variances of trained batch norms on the device where a plan runs, so that no step waits for what
/// its norms measured. Between epochs the tensors of this program hold what is true.
class DeviceStatistics {
 public:
  /// Null where there are none, or the plan's backend has no memory of its own. `plan` outlives the result; what its
  /// norms measure no longer comes to this side.
  static std::unique_ptr<DeviceStatistics> make(TrainingPlan& plan);
  ~DeviceStatistics();
  DeviceStatistics(const DeviceStatistics&) = delete;
  DeviceStatistics& operator=(const DeviceStatistics&) = delete;

  /// Before update(), at least once after synchronize(): sends the running ones over.
  void leave();
  /// Queues running ← momentum·running + (1 - momentum)·measured, with the unbiased variance.
  void update();
  /// What norm i measured in the last pass, mean and biased variance. Waits.
  void fetch(size_t i, std::vector<float>& mean, std::vector<float>& variance) const;
  /// Brings the running ones back.
  void synchronize();

 private:
  explicit DeviceStatistics(TrainingPlan& plan) : plan_(plan), memory_(*plan.plan.backend().memory()) {}
  /// body(tensor of this program, where the device keeps it) for all.
  template <typename Body>
  void for_running(const Body& body) const;
  TrainingPlan& plan_;
  const DeviceMemory& memory_;
  std::unique_ptr<DeviceVectors> vectors_;
  std::vector<float*> running_, measured_;  // of each norm the mean, then the variance
  DeviceVectors::List running_list_ = 0, measured_list_ = 0;
  DeviceVectors::Factors keep_ = 0, take_ = 0;
  bool away_ = false;  // what is true lies on the device
};

}  // namespace graft
