#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX CenterCropPad: dimensions cropped, or padded with zeros, to the extents that the constant second input gives,
/// the middle staying the middle. `axes`: which dimensions those are; empty for all. A composite.
struct CenterCropPad final : Operator {
  std::vector<int64_t> axes;

  std::string_view type() const override { return "CenterCropPad"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
