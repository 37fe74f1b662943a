#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// ONNX Attention: softmax(cap(scale·Q·Kᵀ) + mask)·V for each head [Vaswani et al. 2017, §3.2]. Inputs Q, K, V and an
/// optional mask. Q is N×heads×S×D, K is N×key_heads×T×D, V is N×key_heads×T×E and the result N×heads×S×E; or, with
/// `heads` and `key_heads` given, heads lie side by side: N×S×(heads·D) and so on. Neighbouring heads/key_heads queries
/// share a key and a value [Ainslie et al. 2023, "GQA"]. The mask broadcasts to N×heads×S×T: booleans say what may be
/// attended to, numbers are added; where its last extent is short, the rest is masked. A `causal` query i attends to
/// keys up to i. cap(s) = softcap·tanh(s/softcap) where softcap is not 0.
///
/// A composite: products of matrices, one for each N and key head, around Softmax. The batch is nowhere spelled out.
struct Attention final : Operator {
  int64_t heads = 0, key_heads = 0;  // 0: inputs have a dimension for them
  float scale = 0;                   // 0: 1/√D
  float softcap = 0;
  bool causal = false;

  std::string_view type() const override { return "Attention"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
  bool is_composite() const override { return true; }
  ValueId expand(Expansion& expansion) const override;

  /// What the shapes of Q, K and V say.
  struct Extents {
    bool side_by_side;
    int64_t batch, heads, key_heads, queries, keys, width, value_width;  // N, …, S, T, D, E
    int64_t shared() const { return heads / key_heads; }                 // queries of one key head
  };
  /// Throws Error where they do not fit.
  Extents extents(const Shape& q, const Shape& k, const Shape& v) const;
};

}  // namespace graft
