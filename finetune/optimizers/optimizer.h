#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/tensor.h"

namespace graft {

/// What the rules can be told. Each reads its own; the defaults are those of the papers and of PyTorch.
struct OptimizerOptions {
  float momentum = 0.9f;  // momentum, nesterov, alexnet, lars: µ
  float dampening = 0;    // momentum: part of the gradient that the velocity leaves out, from the second step on
  double beta1 = 0.9, beta2 = 0.999;  // adam and its kin, lamb; 1 - β₂ in single precision would be off by 10⁻⁵
  float epsilon = 0;                  // 0: the rule's own
  bool amsgrad = false;               // adam, adamw: divide by the largest second moment so far
  bool decoupled = false;             // nadam, radam: weight decay beside the gradient, as adamw has it
  double momentum_decay = 4e-3;       // nadam: ψ
  float rho = 0.9f;                   // adadelta
  float alpha = 0.99f;                // rmsprop: smoothing
  bool centred = false;               // rmsprop: divide by the deviation instead of the second moment
  float rms_momentum = 0;             // rmsprop: µ
  float lr_decay = 0;                 // adagrad
  float initial_accumulator = 0;      // adagrad
  float trust = 1e-3f;                // lars: η
};

/// One trainable tensor: its values, where its gradient lies, and its share of the rate.
struct Parameter {
  std::string name;
  std::shared_ptr<Tensor> tensor;
  float* gradient = nullptr;  // same order and length as the tensor; clipping scales it in place
  float lr_scale = 1;
  float weight_decay = 0;  // L2
  float l1 = 0;            // L1: l1·sign(w) is added to the gradient
};

/// What a rule remembers of all parameters: one tensor a slot, in which each parameter has its range. With the step
/// number it is all that a resume needs.
class OptimizerState {
 public:
  OptimizerState() = default;
  /// Slot s begins with initial[s] everywhere.
  OptimizerState(const std::vector<Parameter>& parameters, const std::vector<float>& initial);
  size_t slots() const { return slabs_.size(); }
  /// As many numbers as the parameter has.
  std::span<float> of(size_t parameter, size_t slot) {
    return slabs_[slot].data<float>().subspan(first_[parameter], first_[parameter + 1] - first_[parameter]);
  }
  std::span<const float> of(size_t parameter, size_t slot) const {
    return slabs_[slot].data<float>().subspan(first_[parameter], first_[parameter + 1] - first_[parameter]);
  }

 private:
  std::vector<Tensor> slabs_;
  std::vector<size_t> first_;
};

/// What a rule minimises that asks for the loss at points of its own choice.
class Objective {
 public:
  virtual ~Objective() = default;
  /// The mean loss over all samples at the parameters' present values; leaves its gradient at the parameters.
  virtual double evaluate() = 0;
  /// Told after each iteration, with the parameters at its end; false ends the descent.
  virtual bool iteration(double value) = 0;
};

/// Updates parameters, all of them in one pass.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// State tensors a parameter.
  virtual int slots() const = 0;
  /// What state begins with.
  virtual float initial(int /*slot*/) const { return 0; }
  /// A rate that suits a new head on frozen features.
  virtual float default_lr() const = 0;
  virtual float default_weight_decay() const { return 1e-4f; }
  /// True where the rule is meant for the gradient of the whole training set.
  virtual bool wants_full_batch() const { return false; }
  /// `state` as make_state made it for these parameters; `step` counts from 1. Each parameter takes part once a step,
  /// in this call or in several.
  virtual void step_on(std::span<const size_t> which, float lr, int64_t step, const std::vector<Parameter>& parameters,
                       OptimizerState& state) = 0;
  void step(float lr, int64_t step, const std::vector<Parameter>& parameters, OptimizerState& state);

  /// True where the rule is a whole descent: minimise() is called in the place of step().
  virtual bool minimises() const { return false; }
  virtual void minimise(std::vector<Parameter>& /*parameters*/, Objective& /*objective*/, int /*iterations*/) {}

  OptimizerState make_state(const std::vector<Parameter>& parameters) const;
};
using OptimizerPtr = std::unique_ptr<Optimizer>;

OptimizerPtr make_optimizer(const std::string& name, const OptimizerOptions& options);
std::vector<std::string> optimizer_names();

OptimizerPtr make_lars(const OptimizerOptions& options);
OptimizerPtr make_lamb(const OptimizerOptions& options);
OptimizerPtr make_lbfgs(const OptimizerOptions& options);

}  // namespace graft
