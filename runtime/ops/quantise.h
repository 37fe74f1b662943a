#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX QuantizeLinear: saturate(round(x / scale) + zero_point), halves to the even neighbour, into uint8 or int8.
/// Inputs x, scale, optional zero point; one of each, or one for each index along `axis`.
struct Quantise final : Operator {
  int64_t axis = 1;
  DType to = DType::u8;  // where there is no zero point
  std::string_view type() const override { return "QuantizeLinear"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

/// ONNX DequantizeLinear: (x - zero_point)·scale, from uint8, int8 or int32. Inputs as above.
struct Dequantise final : Operator {
  int64_t axis = 1;
  std::string_view type() const override { return "DequantizeLinear"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
};

}  // namespace graft
