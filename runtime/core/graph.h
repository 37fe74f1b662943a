#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/operator.h"
#include "runtime/core/tensor.h"

namespace graft {

inline constexpr ValueId kNoValue = -1;

/// One SSA value. A constant's tensor is shared between a graph and the graphs that passes make from it, so that a
/// training plan, an evaluation plan and the writer see the same parameters; the optimizer alone writes them.
struct Value {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::shared_ptr<Tensor> constant;
  bool trainable = false;
};

struct Node {
  std::string name;
  OperatorPtr op;
  std::vector<ValueId> inputs;  // kNoValue where an optional input is absent
  std::vector<ValueId> outputs;
};

/// What is computed: nodes in topological order over SSA values. Shapes are ONNX's N×C×H×W; no layout, device or
/// memory.
class Graph {
 public:
  ValueId add_input(std::string name, DType dtype, Shape shape);
  ValueId add_constant(std::string name, Tensor tensor);
  ValueId add_constant(std::string name, std::shared_ptr<Tensor> tensor);
  /// Appends a node and its output values, with inferred types. Throws Error with the node's name.
  std::vector<ValueId> add_node(std::string name, OperatorPtr op, std::vector<ValueId> inputs,
                                std::vector<std::string> output_names = {});
  /// Appends a node without inferring: for graphs whose shapes `specialise` closes later.
  void append_node(std::string name, OperatorPtr op, std::vector<ValueId> inputs,
                   const std::vector<std::string>& output_names);
  /// For operators with one output.
  ValueId add(std::string name, OperatorPtr op, std::vector<ValueId> inputs);

  Value& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  size_t value_count() const { return values_.size(); }
  ValueType type_of(ValueId id) const;
  /// kNoValue when no value has this name.
  ValueId find(const std::string& name) const;
  /// `wanted`, or `wanted_2`, … when it is taken.
  std::string unused_name(const std::string& wanted) const;

  /// Index of the node that makes a value, or -1 for inputs and constants.
  std::vector<int> producers() const;
  /// For each value the indices of the nodes that read it; graph outputs are not counted.
  std::vector<std::vector<int>> consumers() const;
  /// Makes every reader of `from` (nodes and outputs) read `to`.
  void replace_uses(ValueId from, ValueId to);
  /// The same for each pair (from, to), in one walk over the graph; a `to` may itself be replaced by another pair, but
  /// not in a circle.
  void replace_uses(const std::map<ValueId, ValueId>& pairs);

  /// The same graph with constants of its own: training it leaves this one alone.
  Graph independent_copy() const;

  std::vector<Node> nodes;
  std::vector<ValueId> inputs, outputs;
  /// Nodes from this index on belong to the backward pass (nodes.size() when there is none).
  size_t backward_begin = SIZE_MAX;
  /// Outputs of the backward pass that are taken as soon as they are complete and no node still to come reads
  /// `constant`, which may change then. Their memory is free after that (Plan::backward).
  struct EarlyRelease {
    size_t output;
    ValueId constant;
  };
  std::vector<EarlyRelease> early_releases;

 private:
  ValueId add_value(Value value);
  /// The first i ≥ 2 for which `wanted_i` is free.
  int free_suffix(const std::string& wanted) const;
  std::vector<Value> values_;
  std::map<std::string, ValueId> by_name_;
  std::map<std::string, int> suffixes_;  // for names that were wanted before: all smaller ones are taken
};

/// "node "conv1" (Conv)", the place an Error names.
std::string describe(const Node& node);

std::vector<ValueType> input_types(const Graph& graph, const Node& node);

/// For each value whether it lies as weights do, row-major: what operators say so of (output_is_weight_like), sums of
/// such values, as the gradients of a weight that several layers share are, and what is made of constants alone, as
/// standardised weights are.
std::vector<bool> weight_like_values(const Graph& graph);

}  // namespace graft
