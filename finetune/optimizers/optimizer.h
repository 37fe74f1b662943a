#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/component.h"
#include "runtime/core/tensor.h"

namespace graft {

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
  /// Adds a slot of `counts[p]` numbers for parameter p, all of them `initial`.
  void add_slot(const std::vector<int64_t>& counts, float initial);
  size_t slots() const { return slabs_.size(); }
  /// The numbers of one parameter: as many as the parameter has, unless Optimizer::slot_elements says otherwise.
  std::span<float> of(size_t parameter, size_t slot) {
    return slabs_[slot].data<float>().subspan(begin(parameter, slot), size(parameter, slot));
  }
  std::span<const float> of(size_t parameter, size_t slot) const {
    return slabs_[slot].data<float>().subspan(begin(parameter, slot), size(parameter, slot));
  }

 private:
  size_t begin(size_t parameter, size_t slot) const { return first_[slot][parameter]; }
  size_t size(size_t parameter, size_t slot) const { return first_[slot][parameter + 1] - first_[slot][parameter]; }
  std::vector<Tensor> slabs_;
  std::vector<std::vector<size_t>> first_;  // by slot: each parameter's first number, and the end
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
  /// Numbers that a slot holds for a parameter.
  virtual int64_t slot_elements(int /*slot*/, const Parameter& parameter) const { return parameter.tensor->elements(); }
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

/// By its name and what is set of it. Throws Error for an unknown one.
OptimizerPtr make_optimizer(const Choice& optimizer);
/// Every optimizer, in alphabetical order.
const std::vector<ComponentInfo>& optimizer_components();
std::vector<std::string> optimizer_names();

}  // namespace graft
