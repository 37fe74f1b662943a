#pragma once

#include "runtime/core/operator.h"

namespace graft {

/// How the matrices of a batch lie within a row-major value, in elements: element (b…, row, column) of the operand is
/// at offset + Σ b·batch + row·`row` + column·`column`.
struct MatrixView {
  size_t input = 0;  // the node's, which holds the value
  int64_t offset = 0;
  Strides batch;
  int64_t row = 0, column = 1;
};

/// Y = softmax(scale·Q·Kᵀ + Σ biases)·V for each index of the batch dimensions, which heads are among, without the
/// scores of all queries in memory at once [Dao et al. 2022, "FlashAttention"; Rabe & Staats 2021]. Q is S×D, K is T×D,
/// V is T×E, a bias S×T and Y is S×E, each seen where it lies: projections of one dense layer side by side, heads
/// beside each other, or a bias that all of a dimension share (stride 0). Views of one input do not overlap.
///
/// Stands for products around a Softmax (fuse_attention); never written to a file.
struct FusedAttention final : Operator {
  Shape batch;
  int64_t queries = 0, keys = 0, width = 0, value_width = 0;  // S, T, D, E
  float scale = 1;
  MatrixView q, k, v;              // columns of q and v lie one behind the other
  std::vector<MatrixView> biases;  // kMostBiases at most; their columns, too
  MatrixView result;               // Y in output 0, as q
  static constexpr size_t kMostBiases = 4;
  bool keeps_sums = false;  // output 1, batch×2S: each query's largest score, then 1/Σ exp(score - largest)

  std::string_view type() const override { return "FusedAttention"; }
  Layout layout() const override { return Layout::any; }
  /// Y as a row-major matrix of E columns.
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  std::shared_ptr<const Operator> training_form() const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;

  /// Where each of the batch's matrices begins, in the order of its dimensions.
  std::vector<int64_t> offsets(int64_t first, const Strides& strides) const;
};

/// Inputs dL/dY, Y, what keeps_sums keeps, then FusedAttention's; outputs dL/d of those of its inputs that are
/// `wanted`, in their order.
struct FusedAttentionGradient final : Operator {
  FusedAttention forward;
  std::vector<size_t> wanted;

  std::string_view type() const override { return "FusedAttentionGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  int64_t multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const override;
};

}  // namespace graft
