#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// Element-wise arithmetic of two operands with broadcasting: Add, Sub, Mul, Div, Pow, Max, Min; Mod with
/// the sign of the divisor (mod) or of the dividend (fmod).
struct Binary final : Operator {
  enum class Kind : uint8_t { add, sub, mul, div, pow, max, min, mod, fmod };
  Kind kind = Kind::add;
  Activation activation;  // applied to the result

  std::string_view type() const override;
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  std::vector<int> in_place_inputs(size_t output) const override {
    return output == 0 ? std::vector<int>{0, 1} : std::vector<int>{};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
  bool is_element_wise() const override { return true; }
  OperatorPtr with_activation(const Activation& more) const override;
};

OperatorPtr make_binary(Binary::Kind kind);

}  // namespace graft
