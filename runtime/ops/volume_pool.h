#pragma once

#include "runtime/core/operator.h"
#include "runtime/ops/pool.h"

namespace graft {

/// ONNX MaxPool and AveragePool over N×C×D×H×W. A composite: a pool over H and W, then one over D.
struct VolumePool final : Operator {
  bool largest = true;  // otherwise the mean
  AveragePool::Count count = AveragePool::Count::picture_only;
  Window2d plane;  // H, W
  Window2d depth;  // D as the height; its width is 1

  std::string_view type() const override { return largest ? "MaxPool" : "AveragePool"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
