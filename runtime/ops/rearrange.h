#pragma once

#include <optional>

#include "runtime/core/operator.h"

namespace graft {

/// One of the pieces that ONNX Split makes along an axis: a known one, or the one that the constant second input names
/// where there is one, or one of `count` equal ones (the last may be shorter).
struct SplitSlice final : Operator {
  int64_t axis = 0;
  int64_t index = 0, count = 1;
  struct Range {
    int64_t first = 0, count = 0;
    int64_t of = 0;  // elements of all pieces together
  };
  std::optional<Range> known;
  /// Piece `index` of these sizes. Throws Error where one is negative or they are not `count`.
  static Range piece(std::span<const int64_t> sizes, int64_t index, int64_t count);
  std::string_view type() const override { return "Split"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  OperatorPtr resolved(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  Range range(const Shape& x) const;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// ONNX Tile: the input side by side as often as the constant second input says for each dimension.
struct Tile final : Operator {
  std::string_view type() const override { return "Tile"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// dL/dx of Tile. Input dL/dy.
struct TileGradient final : Operator {
  Shape input_shape;
  std::string_view type() const override { return "TileGradient"; }
  Layout layout() const override { return Layout::any; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override {
    return {{inputs[0].dtype, input_shape}};
  }
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

/// Blocks of block×block pixels become channels (to_depth, ONNX SpaceToDepth) or channels become blocks (DepthToSpace).
/// Channels are ordered by place in the block, then by what they were (DCR), or the other way round (`channel_first`,
/// CRD).
struct DepthSpace final : Operator {
  bool to_depth = false;
  int64_t block = 1;
  bool channel_first = false;
  std::string_view type() const override { return to_depth ? "SpaceToDepth" : "DepthToSpace"; }
  std::vector<ValueType> infer(std::span<const ValueType> inputs) const override;
  void differentiate(GradientBuilder& grad) const override;
  HalfOperands half_operands() const override { return HalfOperands::all(); }
};

}  // namespace graft
