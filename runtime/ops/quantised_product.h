#pragma once

#include <optional>

#include "runtime/core/operator.h"
#include "runtime/ops/window.h"

namespace graft {

/// What whole numbers stand for: (q - zero)·scale.
struct Steps {
  float scale = 1;
  int32_t zero = 0;
};

/// A convolution or a dense layer of 8-bit integers, what quantise_products makes of Dequantise, Conv or Gemm, and
/// Quantise: y = activation(conv(x - x_zero, w)·scale + bias), summed in whole numbers, as it is (float) or in
/// `result`'s steps. With `rounded` and `residual` the product is first rounded to `rounded`'s steps, and y =
/// activation((p - rounded.zero)·rounded.scale + (r - residual.zero)·residual.scale).
///
/// Inputs: x, uint8 or int8, N×C×H×W or (dense) M×C; weight, int8, K×C×R×S or K×C; scale (K floats: x's times the
/// weight's); bias (K floats); then the residual, of the result's shape and type.
struct QuantisedProduct final : Operator {
  Window2d window;  // of a convolution
  int32_t x_zero = 0;
  Activation activation;  // none, relu or clip
  std::optional<Steps> result, rounded, residual;
  DType result_type = DType::f32;  // u8 or i8 with `result`

  std::string_view type() const override { return "QLinearConv"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  std::vector<int> in_place_inputs(size_t) const override {
    return residual ? std::vector<int>{4} : std::vector<int>{};
  }
};

}  // namespace graft
