#include <map>
#include <set>

#include "runtime/ops/movement.h"
#include "runtime/ops/pixel_rows.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

class RowForms {
 public:
  explicit RowForms(Graph& graph) : graph_(graph), used_(graph.outputs.begin(), graph.outputs.end()) {
    for (const Node& node : graph.nodes) used_.insert(node.inputs.begin(), node.inputs.end());
  }

  void run() {
    const std::vector<Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (Node node : nodes) {
      for (ValueId& id : node.inputs)
        if (const auto it = replaced_.find(id); it != replaced_.end()) id = it->second;
      graph_.nodes.push_back(node);
      convert(node);
    }
    for (ValueId& id : graph_.outputs)
      if (const auto it = replaced_.find(id); it != replaced_.end()) id = it->second;
    // Either the rows or what they stand for has no reader left.
    remove_dead_code(graph_);
  }

 private:
  /// The rows of an N×H×W×C value, or kNoValue.
  ValueId rows(ValueId id) const {
    const auto it = rows_.find(id);
    return it == rows_.end() ? kNoValue : it->second;
  }
  const Shape& shape(ValueId id) const { return graph_.value(id).shape; }

  void convert(const Node& node) {
    if (node.inputs.empty() || node.inputs[0] == kNoValue) return;
    if (const auto* transpose = dynamic_cast<const Transpose*>(node.op.get()))
      return convert_transpose(node, *transpose);
    std::vector<ValueId> inputs = node.inputs;
    const OperatorPtr op = row_form(node, inputs);
    if (op) rows_[node.outputs[0]] = graph_.add_node(node.name + ":rows", op, inputs)[0];
  }

  void convert_transpose(const Node& node, const Transpose& transpose) {
    if (shape(node.inputs[0]).rank() != 4) return;
    if (transpose.permutation == std::vector<int64_t>{0, 2, 3, 1}) {
      rows_[node.outputs[0]] = graph_.add(node.name + ":rows", std::make_shared<PixelsToRows>(), {node.inputs[0]});
    } else if (transpose.permutation == std::vector<int64_t>{0, 3, 1, 2} && rows(node.inputs[0]) != kNoValue) {
      auto back = std::make_shared<RowsToPixels>();
      back->picture = shape(node.outputs[0]);
      replaced_[node.outputs[0]] = graph_.add(node.name + ":pixels", back, {rows(node.inputs[0])});
    }
  }

  /// The operator on rows, and its inputs; null when there is none.
  OperatorPtr row_form(const Node& node, std::vector<ValueId>& inputs) const {
    if (node.op->is_element_wise()) {
      const Shape* pictures = nullptr;
      for (ValueId& id : inputs) {
        if (rows(id) != kNoValue) {
          if (pictures && shape(id) != *pictures) return nullptr;  // of rows, one of them stretches otherwise
          pictures = &shape(id);
          id = rows(id);
        } else if (shape(id).rank() > 1 || !graph_.value(id).constant) {
          return nullptr;  // not one number, nor one a channel
        }
      }
      return pictures ? node.op : nullptr;
    }
    if (rows(inputs[0]) == kNoValue) return nullptr;
    for (size_t i = 1; i < node.outputs.size(); ++i)
      if (used_.contains(node.outputs[i])) return nullptr;  // of rows it has another shape
    inputs[0] = rows(inputs[0]);
    std::vector<ValueType> types;
    for (ValueId id : inputs) types.push_back(graph_.type_of(id));
    return node.op->row_form(types);
  }

  Graph& graph_;
  std::set<ValueId> used_;  // before the pass
  std::map<ValueId, ValueId> rows_, replaced_;
};

}  // namespace

void channels_as_rows(Graph& graph) { RowForms(graph).run(); }

}  // namespace graft
