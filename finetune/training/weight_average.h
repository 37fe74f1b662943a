#pragma once

#include <vector>

#include "finetune/optimizers/optimizer.h"

namespace graft {

/// An exponential moving average of the trained weights, which validates and is kept in their place: a ← d·a + (1-d)·w
/// after each step (WeightUpdate), beginning as a copy.  [Polyak & Juditsky 1992; Tarvainen & Valpola 2017]
class WeightAverage {
 public:
  explicit WeightAverage(float decay) : decay_(decay) {}
  float decay() const { return decay_; }
  /// Exchanges the average and the weights; twice is as before.
  void swap(const std::vector<Parameter>& parameters);
  /// A tensor a parameter; empty before the first update.
  std::vector<Tensor>& values() { return values_; }
  const std::vector<Tensor>& values() const { return values_; }

 private:
  float decay_;
  std::vector<Tensor> values_;
};

}  // namespace graft
