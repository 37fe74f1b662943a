#pragma once

#include <memory>

#include "finetune/optimizers/optimizer.h"
#include "finetune/training/trainer.h"
#include "finetune/training/training_state.h"
#include "runtime/plan/plan.h"

namespace graft {

/// What happens to the weights once gradients are there: sums over batches, sharpness, clipping, the rule, averages. In
/// this program's memory, or where the plan runs.
class WeightUpdate {
 public:
  virtual ~WeightUpdate() = default;
  /// Adds the gradient at hand, of a batch of this weight, to the sum (needs `accumulate` > 1).
  virtual void accumulate(double weight) = 0;
  /// Makes the sum's mean the gradient, and begins anew; false when it is of nothing.
  virtual bool gather() = 0;
  /// To where the loss is worst nearby, along the gradient at hand, and back (SharpnessStep).
  virtual void perturb() = 0;
  virtual void restore() = 0;
  /// What sets the next apply() apart from others. `step` counts from 1.
  virtual void prepare(float lr, int64_t step) = 0;
  /// Where the backward pass gives gradients away as it makes them (updates_go_along): changes parameter `p` and what
  /// the rule remembers of it.
  virtual void apply_to(size_t /*p*/) {}
  /// Changes weights, the rule's memory and averages: all of them, or after apply_to() what remains to be done.
  virtual void apply() = 0;
  /// Whether the last apply() changed anything: not where the loss was scaled up and gradients were no longer finite.
  /// Known once the device has been waited for.
  virtual bool applied() = 0;
  /// From here on, until the next step, tensors and the state hold what is true.
  virtual void synchronize() {}
};

/// Whether nothing has to be known of all gradients before the first weight changes, so that each is used while it is
/// still in the cache, and its memory given back. The plan is then compiled with GradientLifetime::released_early.
bool updates_go_along(const Backend& backend, const Optimizer& optimizer, const TrainOptions& options,
                      int64_t accumulate);

/// `plan`, `state`, `optimizer` and `options` outlive the result. `accumulate`: batches an update.
std::unique_ptr<WeightUpdate> make_weight_update(TrainingPlan& plan, TrainingState& state, Optimizer& optimizer,
                                                 const TrainOptions& options, int64_t accumulate);

}  // namespace graft
