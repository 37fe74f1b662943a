#pragma once

#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// What a composite operator's rule (Operator::expand) sees: its node, whose inputs have closed shapes, and a way to
/// append the nodes that it stands for.
class Expansion {
 public:
  Expansion(Graph& graph, const Node& node) : graph_(graph), node_(node) {}

  size_t input_count() const { return node_.inputs.size(); }
  ValueId input(size_t i) const { return i < node_.inputs.size() ? node_.inputs[i] : kNoValue; }
  DType dtype(ValueId id) const { return graph_.value(id).dtype; }
  /// A copy: the graph moves its values as nodes are appended.
  Shape shape(ValueId id) const { return graph_.value(id).shape; }
  Shape output_shape() const { return shape(node_.outputs[0]); }
  /// Its content, where that is known; null elsewhere. Valid until a node is appended.
  const Tensor* known(ValueId id) const { return id == kNoValue ? nullptr : graph_.value(id).constant.get(); }

  ValueId constant(Tensor tensor);
  ValueId emit(OperatorPtr op, std::vector<ValueId> inputs);
  /// ONNX Reshape: 0 copies an extent, -1 takes the rest. The value itself where nothing changes.
  ValueId reshape(ValueId x, const std::vector<int64_t>& target);
  /// The value itself where nothing moves.
  ValueId transpose(ValueId x, const std::vector<int64_t>& permutation);

 private:
  std::string next_name() { return node_.name + ":" + std::to_string(++made_); }
  Graph& graph_;
  const Node& node_;
  int made_ = 0;
};

/// The nodes that a composite node stands for, in order; the last of them makes the node's output. Their values are
/// added to the graph, the nodes are not. Throws Error where the operator cannot be spelled out.
std::vector<Node> expand(Graph& graph, const Node& node);

}  // namespace graft
