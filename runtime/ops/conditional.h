#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX If whose condition follows from extents that are still open. Inputs: the condition (one boolean), the results
/// of the branch for true, then as many of the branch for false, whose nodes are part of the graph. `specialise`
/// replaces each output by its input once extents, and with them the condition, are known; no backend has a kernel for
/// it.
struct If final : Operator {
  std::string_view type() const override { return "If"; }
  /// Throws Error while the condition is not known.
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool chooses_inputs() const override { return true; }
  std::vector<size_t> chosen_inputs(std::span<const ValueType> inputs) const override;
};

}  // namespace graft
