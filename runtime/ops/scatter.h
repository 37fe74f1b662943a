#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX ScatterND and ScatterElements: data with elements replaced by those of updates. Inputs data, indices, updates.
/// Slices: the last dimension of indices counts the coordinates of a place, as in GatherND. Elements: indices have the
/// shape of updates and say where along `axis` each goes. Negative coordinates count from the end; of several updates
/// of one place the last stays, or all are combined with what is there.
///
/// A composite: one Gather from data and updates side by side, whose gradient goes to both; with a reduction one for
/// each update that a place gets. Where the indices depend on the data it is one IndexedScatter.
struct Scatter final : Operator {
  enum class Of : uint8_t { slices, elements };
  enum class Reduction : uint8_t { none, add, mul, max, min };
  Of of = Of::slices;
  Reduction reduction = Reduction::none;
  int64_t axis = 0;  // elements

  std::string_view type() const override { return of == Of::slices ? "ScatterND" : "ScatterElements"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
