#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX Trilu: of the matrices in the last two dimensions, the part on and above (`upper`) or below the k-th diagonal,
/// zero elsewhere. Input x and the optional constant k (0 where absent; positive: right of the main diagonal).
struct Trilu final : Operator {
  bool upper = true;

  std::string_view type() const override { return "Trilu"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  /// k. Throws Error where it depends on the data.
  static int64_t diagonal(std::span<const ValueType> inputs);
};

}  // namespace graft
