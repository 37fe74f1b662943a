#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX RotaryEmbedding: queries or keys, N×heads×L×D or N×L×heads·D, of which the first `width` numbers of each head
/// (0: all) are turned, in pairs, by the angles whose cosines and sines are given. Inputs x, cosines, sines
/// (N×L×width/2) or, with a fourth input of positions (N×L, or one offset), rows of both (positions×width/2). Pairs are
/// neighbours (`interleaved`) or lie half the width apart. A composite.
/// ["RoFormer", https://arxiv.org/abs/2104.09864]
struct RotaryEmbedding final : Operator {
  int64_t width = 0, heads = 0;
  bool interleaved = false;

  std::string_view type() const override { return "RotaryEmbedding"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;
};

}  // namespace graft
