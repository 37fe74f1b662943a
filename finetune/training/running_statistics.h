#pragma once

#include <memory>
#include <span>
#include <vector>

#include "finetune/training/step_target.h"

namespace graft {

/// Running means and variances of trained batch norms, where a step is computed, so that none waits for what its norms
/// measured. Between epochs the tensors hold the current values.
class RunningStatistics {
 public:
  /// `plan` and what `target` refers to outlive this object.
  RunningStatistics(TrainingPlan& plan, const StepTarget& target);

  /// Before update(), at least once after synchronize(): queues the upload of the running ones.
  void upload();
  /// running ← momentum·running + (1 - momentum)·measured, with the unbiased variance, as PyTorch does.
  void update();
  /// What norm i measured in the last pass: mean and biased variance, one a channel. Waits for them; they last until
  /// the next call.
  struct Measured {
    std::span<const float> mean, variance;
  };
  Measured measured(size_t i);
  /// Downloads the running ones, and waits for them.
  void synchronize();

 private:
  /// `from` itself where it is the program's memory, else a copy in `to`, whose download is queued.
  std::span<const float> downloaded(const float* from, size_t count, std::vector<float>& to) const;

  const Device& device_;
  std::vector<Mirror> running_;   // of each norm the mean, then the variance
  std::vector<float*> measured_;  // in the same order, where kernels find them
  std::vector<int64_t> counts_;   // in the same order
  std::unique_ptr<MultiTensor> tensors_;
  MultiTensor::List running_list_{}, measured_list_{};
  MultiTensor::Factors keep_{}, blend_{};
  std::vector<float> mean_, variance_;  // as they were downloaded
  bool uploaded_ = false;               // the current values are in the mirrors
};

}  // namespace graft
