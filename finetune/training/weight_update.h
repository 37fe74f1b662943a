#pragma once

#include <memory>
#include <vector>

#include "finetune/training/step_target.h"
#include "finetune/training/trainer.h"
#include "finetune/training/training_state.h"

namespace graft {

/// What happens to the weights once their gradients are complete: sums over batches, sharpness, clipping, the rule,
/// averages. On a device weights, gradients, the rule's slots and averages stay there while an epoch lasts; between
/// epochs the tensors and the state hold the current values.
class WeightUpdate {
 public:
  /// `state.parameters` are those of `plan`. All that is given, and what `target` refers to, outlives this object.
  /// `accumulate`: batches an update; above 1 the gradient that is applied is the one that finish_accumulation() makes.
  /// Throws Error where the plan has no gradient of a parameter.
  WeightUpdate(TrainingPlan& plan, TrainingState& state, const TrainOptions& options, const StepTarget& target,
               int64_t accumulate);

  /// Adds the gradient of a batch: Σ weight·gradient, where a batch weighs what its mean loss was divided by, so that
  /// finish_accumulation() gives the gradient of the mean over all their samples.
  void accumulate(double weight);
  /// Divides by Σ weight; the next accumulate() begins anew. False, with zeros, where all weights were zero.
  bool finish_accumulation();

  /// Sharpness-aware minimisation: goes along the gradient to where the loss is worst nearby, w + ρ·g/‖g‖, and back to
  /// the weights before, bit for bit.  [Foret et al. 2021]
  void perturb();
  void restore();

  /// What sets the next apply() apart from others. `step` counts from 1.
  void prepare(float lr, int64_t step);
  /// Where the backward pass releases gradients as they are complete (releases_gradients_early): updates parameter `p`.
  void apply_one(size_t p) { optimizer_->apply_one(p); }
  /// Updates weights, slots and averages: all of them, or after apply_one() what remains to be done.
  void apply();
  /// Whether the last apply() changed anything: not where the loss was scaled up and gradients were not finite. Known
  /// once the device is synchronised.
  bool applied() const { return !state_.loss_scale || tensors_->was_finite(); }
  /// From here on, until the next prepare(), tensors and the state hold the current values.
  void synchronize();

 private:
  /// A list of buffers in the parameters' sizes.
  std::vector<float*> allocate_like_parameters();
  /// Uploads the rule's slots and the average.
  void upload_state();
  void make_average_list();
  void update_average();
  /// Lets kernels of the processor repack what they derived from weights; a device's read the weights themselves.
  void refresh_plan();

  TrainingPlan& plan_;
  TrainingState& state_;
  const TrainOptions& options_;
  const Device& device_;
  bool released_early_;  // gradients, in the backward pass
  std::vector<DeviceBuffer> buffers_;
  std::vector<ParameterView> parameters_;
  std::vector<Mirror> slots_, averages_;  // slots by parameter, then by slot
  std::unique_ptr<FusedOptimizer> optimizer_;
  std::unique_ptr<MultiTensor> tensors_;
  MultiTensor::List weights_{}, batch_gradient_{}, gradient_{}, before_{}, average_{};
  double weight_ = 0;      // of the batches in the sum
  bool begun_ = false;     // a batch is in the sum
  bool uploaded_ = false;  // the current values are in the mirrors
};

/// Whether nothing has to be known of all gradients before the first weight changes, so that each is used while it is
/// still in the cache, and its memory given back. The plan is then compiled with GradientLifetime::released_early.
bool releases_gradients_early(const Backend& backend, const Optimizer& optimizer, const TrainOptions& options,
                              int64_t accumulate);

}  // namespace graft
