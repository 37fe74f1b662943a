#pragma once

#include <vector>

#include "finetune/optimizers/optimizer.h"

namespace graft {

/// √Σ g² over all parameters.
double gradient_norm(const std::vector<Parameter>& parameters);

void scale_gradients(const std::vector<Parameter>& parameters, float factor);

/// Scales all gradients so that their norm is at most `limit`, as PyTorch's clip_grad_norm_ does; returns the norm
/// before.
double clip_gradient_norm(std::vector<Parameter>& parameters, double limit);

/// Cuts each slope to ±limit.
void clip_gradient_values(std::vector<Parameter>& parameters, float limit);

/// Gradients of several batches as one: Σ weight·gradient / Σ weight, where a batch weighs what its mean loss was
/// divided by, so that the result is the gradient of the mean over all their samples.
class GradientAccumulator {
 public:
  /// From here on the parameters' gradients lie in this object's memory; where they lay is where each batch leaves its
  /// own.
  explicit GradientAccumulator(std::vector<Parameter>& parameters);
  void add(double weight);
  /// Divides; the next add() begins anew. Returns false, and leaves zeros, when nothing was added or all weights were
  /// zero.
  bool finish();

 private:
  std::vector<Parameter>& parameters_;
  std::vector<const float*> sources_;
  std::vector<float> sums_;
  double weight_ = 0;
  bool begun_ = false;
};

}  // namespace graft
