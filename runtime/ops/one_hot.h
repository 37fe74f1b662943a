#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX OneHot. Inputs indices, constant depth (one number) and values (off, on): a new dimension of extent depth at
/// `axis` holds `on` where its index is the element's and `off` elsewhere. Negative indices count from the end; those
/// outside have no `on`. A composite: comparisons with 0, 1, …, depth - 1.
struct OneHot final : Operator {
  int64_t axis = -1;

  std::string_view type() const override { return "OneHot"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
