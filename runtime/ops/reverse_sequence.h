#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX ReverseSequence: of each entry of the batch dimension, the first elements along the time dimension in reverse;
/// how many, the constant second input says for each. The two dimensions are the first two. A composite.
struct ReverseSequence final : Operator {
  int64_t batch_axis = 1, time_axis = 0;

  std::string_view type() const override { return "ReverseSequence"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
