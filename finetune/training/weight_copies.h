#pragma once

#include <span>
#include <vector>

#include "finetune/optimizers/optimizer.h"

namespace graft {

/// An exponential moving average of the trained weights, which validates and is kept in their place: a ← d·a + (1-d)·w
/// after each step, beginning as a copy.  [Polyak & Juditsky 1992; Tarvainen & Valpola 2017]
class WeightAverage {
 public:
  explicit WeightAverage(float decay) : decay_(decay) {}
  void update(const std::vector<Parameter>& parameters);
  float decay() const { return decay_; }
  /// Exchanges the average and the weights; twice is as before.
  void swap(const std::vector<Parameter>& parameters);
  /// For checkpoints: empty before the first update.
  std::vector<Tensor>& values() { return values_; }
  const std::vector<Tensor>& values() const { return values_; }

 private:
  float decay_;
  std::vector<Tensor> values_;
};

/// Sharpness-aware minimisation: the gradient is taken where the loss is worst nearby, at w + ρ·g/‖g‖.  [Foret et al.
/// 2021]
class SharpnessStep {
 public:
  explicit SharpnessStep(float rho) : rho_(static_cast<double>(rho)) {}
  /// Goes there along the gradients at hand.
  void perturb(const std::vector<Parameter>& parameters);
  /// Back to the weights before, bit for bit.
  void restore(const std::vector<Parameter>& parameters);

 private:
  double rho_;
  std::vector<Tensor> before_;
};

}  // namespace graft
