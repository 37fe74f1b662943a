#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// Dropout [Srivastava et al. 2014]: each element is zeroed with probability `ratio`, the rest scaled by 1/(1 - ratio)
/// (inverted). Vanilla dropout scales nothing in training and by 1 - ratio elsewhere: the same in expectation. With
/// `whole_samples` one draw decides for all of a sample: stochastic depth, where it stands in a residual branch [Huang
/// et al. 2016]. Active only in training plans; elsewhere a pass removes it, or leaves the scaling. The mask is a
/// function of (seed, step, stream, element) alone, so that the gradient is the same operator applied to dL/dy and
/// threads never change it.
struct Dropout final : Operator {
  float ratio = 0.5f;
  bool vanilla = false, whole_samples = false;
  uint32_t stream = 0;  // tells the dropouts of one graph apart

  std::string_view type() const override { return "Dropout"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  std::vector<int> in_place_inputs(size_t output) const override {
    return output == 0 ? std::vector<int>{0} : std::vector<int>{};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  bool is_element_wise() const override { return !whole_samples; }
};

}  // namespace graft
