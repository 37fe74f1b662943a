#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// Element-wise questions with broadcasting, boolean results: ONNX Equal, Greater, GreaterOrEqual, Less, LessOrEqual of
/// numbers; And, Or, Xor of booleans. Nothing flows back through them.
struct Comparison final : Operator {
  enum class Kind : uint8_t {
    equal,
    greater,
    greater_or_equal,
    less,
    less_or_equal,
    logical_and,
    logical_or,
    logical_xor
  };
  Kind kind = Kind::equal;
  std::string_view type() const override;
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_element_wise() const override { return true; }
};

OperatorPtr make_comparison(Comparison::Kind kind);

/// Questions about one tensor, boolean results: ONNX Not, IsNaN, IsInf.
struct Predicate final : Operator {
  enum class Kind : uint8_t { logical_not, is_nan, is_inf };
  Kind kind = Kind::logical_not;
  bool positive = true, negative = true;  // is_inf: which infinities count
  std::string_view type() const override;
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_element_wise() const override { return true; }
};

/// ONNX Where: inputs condition (boolean), x, y, with broadcasting.
struct Where final : Operator {
  std::string_view type() const override { return "Where"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  bool is_element_wise() const override { return true; }
};

}  // namespace graft
