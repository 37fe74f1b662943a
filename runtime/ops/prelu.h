#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// y = x where x > 0, slope·x elsewhere [He et al. 2015]. Inputs x, slope (broadcast to x).
struct PRelu final : Operator {
  std::string_view type() const override { return "PRelu"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  std::vector<int> in_place_inputs(size_t) const override { return {0}; }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  bool is_element_wise() const override { return true; }
};

}  // namespace graft
