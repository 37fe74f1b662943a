#include <algorithm>
#include <map>
#include <set>

#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/pixel_rows.h"
#include "runtime/ops/reshape.h"
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
    hoist_views();
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
    if (const OperatorPtr op = row_form(node, inputs)) {
      rows_[node.outputs[0]] = graph_.add_node(node.name + ":rows", op, inputs)[0];
      return;
    }
    inputs = node.inputs;
    if (const OperatorPtr op = token_form(node, inputs)) {
      const ValueId y = node.outputs[0], rows = graph_.add_node(node.name + ":rows", op, inputs)[0];
      const ValueId tokens = reshaped(node.name + ":tokens", rows, shape(y));
      token_rows_[tokens] = rows;
      replaced_[y] = tokens;
    }
  }

  ValueId reshaped(const std::string& name, ValueId x, const Shape& shape) {
    auto op = std::make_shared<ReshapeTo>();
    op->target = shape;
    return graph_.add(name, op, {x});
  }

  /// Rows of tokens that were there before stand where those are made: a product can take them for its residual then.
  void hoist_views() {
    std::map<ValueId, std::vector<Node>> behind;
    std::vector<Node> nodes, others;
    std::set<ValueId> made;
    for (Node& node : graph_.nodes) {
      if (views_.contains(node.outputs[0])) {
        behind[node.inputs[0]].push_back(std::move(node));
        continue;
      }
      made.insert(node.outputs.begin(), node.outputs.end());
      others.push_back(std::move(node));
    }
    const auto append_views = [&](ValueId of) {
      const auto it = behind.find(of);
      if (it == behind.end()) return;
      for (Node& view : it->second) nodes.push_back(std::move(view));
      behind.erase(it);
    };
    std::vector<ValueId> given;  // inputs and constants
    for (const auto& [of, views] : behind)
      if (!made.contains(of)) given.push_back(of);
    for (const ValueId of : given) append_views(of);
    for (Node& node : others) {
      const std::vector<ValueId> outputs = node.outputs;
      nodes.push_back(std::move(node));
      for (const ValueId id : outputs) append_views(id);
    }
    graph_.nodes = std::move(nodes);
  }

  bool has_token_rows(ValueId id) const { return token_rows_.contains(id); }
  /// Tokens, …×C, as rows: under another shape, without moving anything.
  ValueId token_rows(ValueId id) {
    const auto [known, is_new] = token_rows_.try_emplace(id, kNoValue);
    if (is_new) {
      const int64_t width = shape(id).back();
      known->second = reshaped(graph_.value(id).name + ":rows", id, {shape(id).elements() / width, width});
      views_.insert(known->second);
    }
    return known->second;
  }

  /// The operator on rows of tokens, and its inputs: of a dense layer, and of what stands behind one.
  OperatorPtr token_form(const Node& node, std::vector<ValueId>& inputs) {
    if (shape(node.outputs[0]).rank() < 3 || shape(node.outputs[0]).elements() == 0) return nullptr;
    for (size_t i = 1; i < node.outputs.size(); ++i)
      if (used_.contains(node.outputs[i])) return nullptr;  // of rows it has another shape
    if (node.op->is_element_wise()) {
      const bool begun = std::any_of(inputs.begin(), inputs.end(), [&](ValueId id) { return has_token_rows(id); });
      const auto fits = [&](ValueId id) {
        return id != kNoValue &&
               (shape(id) == shape(node.outputs[0]) || (shape(id).rank() <= 1 && graph_.value(id).constant));
      };
      if (!begun || !std::all_of(inputs.begin(), inputs.end(), fits)) return nullptr;
      for (ValueId& id : inputs)
        if (shape(id) == shape(node.outputs[0])) id = token_rows(id);
      return node.op;
    }
    if (inputs[0] == kNoValue || shape(inputs[0]).rank() < 3 || shape(inputs[0]).elements() == 0) return nullptr;
    const bool dense = dynamic_cast<const MatMul*>(node.op.get()) && graph_.value(inputs[1]).constant;
    if (!dense && !has_token_rows(inputs[0])) return nullptr;
    const OperatorPtr op = node.op->row_form(input_types(graph_, node));
    if (op) inputs[0] = token_rows(inputs[0]);
    return op;
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
    return node.op->row_form(input_types(graph_, node));
  }

  Graph& graph_;
  std::set<ValueId> used_;  // before the pass
  std::map<ValueId, ValueId> rows_, replaced_;
  std::map<ValueId, ValueId> token_rows_;  // of values that are under both shapes
  std::set<ValueId> views_;                // rows of tokens that no node made as rows
};

}  // namespace

void channels_as_rows(Graph& graph) { RowForms(graph).run(); }

}  // namespace graft
