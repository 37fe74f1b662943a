#pragma once

#include <memory>
#include <string>
#include <vector>

#include "finetune/optimizers/device_updates.h"
#include "finetune/training_state.h"
#include "runtime/plan.h"

namespace graft {

/// Updates on the device where a plan runs: weights, gradients and the rule's memory stay there while an epoch lasts, and nothing of them
/// crosses. Between epochs the tensors of this program hold what is true.
class ResidentUpdate {
 public:
  /// Null where the plan's backend has no memory of its own or does not know the rule. `plan` and `state` outlive this object; the
  /// parameters' gradients no longer come to this side.
  static std::unique_ptr<ResidentUpdate> make(TrainingPlan& plan, TrainingState& state, const std::string& rule, const OptimizerOptions& options);
  ~ResidentUpdate();
  ResidentUpdate(const ResidentUpdate&) = delete;
  ResidentUpdate& operator=(const ResidentUpdate&) = delete;

  /// Takes the rule's memory over where it has not.
  void step(float lr, int64_t step);
  /// Brings weights and the rule's memory back.
  void settle();

 private:
  ResidentUpdate(TrainingPlan& plan, TrainingState& state);
  TrainingPlan& plan_;
  TrainingState& state_;
  const DeviceMemory& memory_;
  std::vector<DeviceParameter> parameters_;
  std::vector<void*> rooms_;
  std::unique_ptr<DeviceUpdate> update_;
  bool away_ = false;  // what is true lies on the device
};

}  // namespace graft
