#pragma once

#include <memory>
#include <vector>

#include "finetune/optimizers/device_updates.h"
#include "finetune/optimizers/device_vectors.h"
#include "finetune/training/weight_update.h"

namespace graft {

/// Updates on the device where a plan runs: weights, gradients, the rule's memory and averages stay there while an
/// epoch lasts, and nothing of them crosses. Between epochs the tensors of this program hold what is true.
class DeviceOptimizer final : public WeightUpdate {
 public:
  /// Null where the plan's backend has no memory of its own or does not know the rule. `plan`, `state` and `options`
  /// outlive this object; the parameters' gradients no longer come to this side.
  static std::unique_ptr<DeviceOptimizer> make(TrainingPlan& plan, TrainingState& state, const TrainOptions& options,
                                               int64_t accumulate);
  ~DeviceOptimizer() override;
  DeviceOptimizer(const DeviceOptimizer&) = delete;
  DeviceOptimizer& operator=(const DeviceOptimizer&) = delete;

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
  float* room(size_t bytes);
  /// One room a parameter.
  std::vector<float*> rooms();
  /// Sends over what lies here: the rule's memory, and the average.
  void leave();

  TrainingPlan& plan_;
  TrainingState& state_;
  const TrainOptions& options_;
  const DeviceMemory& memory_;
  std::vector<DeviceParameter> parameters_;
  std::vector<void*> all_rooms_;
  std::unique_ptr<DeviceUpdate> update_;
  std::unique_ptr<DeviceVectors> vectors_;
  DeviceVectors::List weights_ = 0, fresh_ = 0, gradient_ = 0, before_ = 0,
                      averages_ = 0;  // `fresh_`: of the last batch; `gradient_`: that is stepped along
  std::vector<float*> average_rooms_;
  double weight_ = 0;       // of the batches in the sum
  bool averaging_ = false;  // the average has begun
  bool away_ = false;       // what is true lies on the device
};

}  // namespace graft
