#pragma once

#include <string>
#include <vector>

#include "runtime/graph.h"

namespace graft {

/// What an operator's gradient rule sees: the node, which input gradients are wanted, and a way to append nodes.
class GradientBuilder {
 public:
  GradientBuilder(Graph& graph, Node node, std::vector<ValueId>& grad_of, const std::vector<bool>& needs)
      : graph_(graph), node_(std::move(node)), grad_of_(grad_of), needs_(needs) {}

  size_t input_count() const { return node_.inputs.size(); }
  ValueId input(size_t i) const { return i < node_.inputs.size() ? node_.inputs[i] : kNoValue; }
  ValueId output(size_t i = 0) const { return node_.outputs[i]; }
  /// dL/d output i; kNoValue when nothing depends on it.
  ValueId grad_output(size_t i = 0) const { return grad_of_[static_cast<size_t>(node_.outputs[i])]; }
  bool wanted(size_t i) const { return input(i) != kNoValue && needs_[static_cast<size_t>(input(i))]; }
  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }

  /// Appends a node of the backward pass; returns its outputs.
  std::vector<ValueId> emit_all(OperatorPtr op, std::vector<ValueId> inputs, const std::string& suffix = "");
  ValueId emit(OperatorPtr op, std::vector<ValueId> inputs, const std::string& suffix = "") {
    return emit_all(std::move(op), std::move(inputs), suffix).front();
  }
  /// Adds `gradient` to dL/d input i.
  void give(size_t i, ValueId gradient);

  /// Undoes a fused tail: returns dL/d(result before it), and gives the residual input (the last one) its gradient.
  ValueId through_epilogue(const Epilogue& epilogue);

  const Node& node() const { return node_; }
  Graph& graph() { return graph_; }

 private:
  Graph& graph_;
  Node node_;
  std::vector<ValueId>& grad_of_;
  const std::vector<bool>& needs_;
};

}  // namespace graft
