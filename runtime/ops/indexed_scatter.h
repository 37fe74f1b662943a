#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// What ScatterND (slices) and ScatterElements stand for where the indices depend on the data: inputs data, indices,
/// updates. Of several updates of one place the last stays; with `adds` all are added to what is there. An index that
/// lies outside is an Error when it is met; negative ones count from the end.
struct IndexedScatter final : Operator {
  enum class Of : uint8_t { slices, elements };
  Of of = Of::slices;
  bool adds = false;
  int64_t axis = 0;  // elements

  std::string_view type() const override { return of == Of::slices ? "ScatterND" : "ScatterElements"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, inputs[0].shape}};
  }
  std::vector<int> in_place_inputs(size_t) const override { return {0}; }
  void differentiate(GradientBuilder& grad) const override;
};

/// dL/d updates of IndexedScatter: zero for updates that another one of the same place follows. Inputs dL/dy, indices.
struct IndexedScatterGradient final : Operator {
  IndexedScatter forward;
  Shape updates;
  std::string_view type() const override { return "ScatterGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, updates}};
  }
};

}  // namespace graft
