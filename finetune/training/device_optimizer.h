#pragma once

#include <memory>
#include <vector>

#include "finetune/training/weight_update.h"
#include "runtime/core/training_kernels.h"

namespace graft {

/// Updates on the device where a plan runs: weights, gradients, the rule's state and averages stay there while an
/// epoch lasts, and nothing of them is transferred. Between epochs the tensors hold the current values.
class DeviceOptimizer final : public WeightUpdate {
 public:
  /// Null where the plan's backend has no device or does not know the rule. `plan`, `state` and `options` outlive this
  /// object; the parameters' gradients are no longer downloaded.
  static std::unique_ptr<DeviceOptimizer> make(TrainingPlan& plan, TrainingState& state, const TrainOptions& options,
                                               int64_t accumulate);

  void accumulate(double weight) override;
  bool gather() override;
  void perturb() override;
  void restore() override;
  void prepare(float lr, int64_t step) override;
  void apply() override;
  bool applied() override;
  void synchronize() override;

 private:
  DeviceOptimizer(TrainingPlan& plan, TrainingState& state, const TrainOptions& options);
  float* allocate(size_t bytes);
  /// A buffer for each parameter.
  std::vector<float*> allocate_like_parameters();
  /// Uploads the rule's state and the average.
  void upload_state();

  TrainingPlan& plan_;
  TrainingState& state_;
  const TrainOptions& options_;
  const Device& device_;
  std::vector<ParameterView> parameters_;
  std::vector<DeviceBuffer> buffers_;
  std::unique_ptr<FusedOptimizer> update_;
  std::unique_ptr<MultiTensor> tensors_;
  MultiTensor::List weights_{}, fresh_{}, gradient_{}, before_{},
      averages_{};  // `fresh_`: of the last batch; `gradient_`: that is stepped along
  std::vector<float*> average_buffers_;
  double weight_ = 0;       // of the batches in the sum
  bool averaging_ = false;  // the average has begun
  bool on_device_ = false;  // the current values are on the device
};

}  // namespace graft
