#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tensor.h"

namespace graft {

struct OptimizerOptions {
  float momentum = 0.9f;
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
};

/// One trainable tensor: its values, where its gradient lies, and its share of the rate.
struct Parameter {
  std::string name;
  std::shared_ptr<Tensor> tensor;
  const float* gradient = nullptr;  // same order and length as the tensor
  float lr_scale = 1;
  float weight_decay = 0;  // L2, added to the gradient
};

/// Updates parameters. State lies in `slots` tensors a parameter, zero at first, and is all that a resume needs.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual int slots() const = 0;
  /// A rate that suits a new head on frozen features.
  virtual float default_lr() const = 0;
  /// `state[p][s]` belongs to parameters[p]; `step` counts from 1.
  virtual void step(float lr, int64_t step, const std::vector<Parameter>& parameters, std::vector<std::vector<Tensor>>& state) const = 0;
};
using OptimizerPtr = std::unique_ptr<Optimizer>;

OptimizerPtr make_optimizer(const std::string& name, const OptimizerOptions& options);
std::vector<std::string> optimizer_names();

OptimizerPtr make_sgd(const OptimizerOptions& options);
OptimizerPtr make_momentum(const OptimizerOptions& options);
OptimizerPtr make_adam(const OptimizerOptions& options);

}  // namespace graft
