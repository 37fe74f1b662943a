#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/core/graph.h"

namespace graft {

/// What one backward pass shares between its builders.
struct GradientState {
  std::vector<ValueId> grad_of;           // per value: its gradient so far, or kNoValue
  std::vector<bool> needs;                // per value: does it depend on a wanted one?
  std::vector<int> producer;              // per value of the forward pass: its node
  std::map<ValueId, ValueId> recomputed;  // forward value → its copy in the backward pass
};

/// What an operator's gradient rule sees: the node, which input gradients are wanted, and a way to append nodes.
class GradientBuilder {
 public:
  GradientBuilder(Graph& graph, Node node, GradientState& state)
      : graph_(graph), node_(std::move(node)), state_(state) {}

  size_t input_count() const { return node_.inputs.size(); }
  ValueId input(size_t i) const { return i < node_.inputs.size() ? node_.inputs[i] : kNoValue; }
  ValueId output(size_t i = 0) const { return node_.outputs[i]; }
  /// Input i for reading in the backward pass. What is cheap to make again (a normalised and activated tensor, from its
  /// input and the batch's statistics) is made again there instead of being kept from the forward pass.
  ValueId input_again(size_t i);
  /// dL/d output i; kNoValue when nothing depends on it.
  ValueId grad_output(size_t i = 0) const { return state_.grad_of[static_cast<size_t>(node_.outputs[i])]; }
  bool wanted(size_t i) const { return input(i) != kNoValue && state_.needs[static_cast<size_t>(input(i))]; }
  /// A copy: the graph grows, and moves its values, as nodes are appended.
  Shape shape(ValueId id) const { return graph_.value(id).shape; }

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
  GradientState& state_;
};

}  // namespace graft
