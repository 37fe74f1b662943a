#include "runtime/passes/output_rows.h"

#include <optional>
#include <vector>

#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

/// What a node does to each row, as it does it to a list; null for what it does to nothing else.
OperatorPtr of_rows(const Operator& op, const OperatorPtr& shared) {
  if (dynamic_cast<const Unary*>(&op) || dynamic_cast<const Cast*>(&op)) return shared;
  const auto* softmax = dynamic_cast<const Softmax*>(&op);
  if (!softmax) return nullptr;
  auto along_rows = std::make_shared<Softmax>(*softmax);
  along_rows->axis = -1;
  along_rows->flatten = false;
  return along_rows;
}

bool has_rows(const Shape& shape) { return shape.rank() >= 2 && (shape[0] == 1 || shape[0] == kOpenDim); }

}  // namespace

void give_outputs_rows(Graph& graph) {
  const std::vector<int> producers = graph.producers();
  for (ValueId& output : graph.outputs) {
    if (graph.value(output).shape.rank() > 1) continue;
    std::vector<std::pair<std::string, OperatorPtr>> behind;  // the reshape, the last first
    std::optional<ValueId> rows;
    for (ValueId at = output; !rows;) {
      const int index = producers[static_cast<size_t>(at)];
      if (index < 0) break;
      const Node& node = graph.nodes[static_cast<size_t>(index)];
      const ValueId from = node.inputs.empty() ? kNoValue : node.inputs[0];
      if (from == kNoValue) break;
      if (node.op->is_reshape()) {
        if (has_rows(graph.value(from).shape)) rows = from;
      } else if (OperatorPtr op = of_rows(*node.op, node.op)) {
        behind.emplace_back(node.name, std::move(op));
      } else {
        break;
      }
      at = from;
    }
    if (!rows) continue;
    const std::string name = graph.value(output).name;
    ValueId value = graph.add(graph.unused_name(name + ":rows"), std::make_shared<Flatten>(), {*rows});
    for (auto it = behind.rbegin(); it != behind.rend(); ++it)
      value = graph.add(graph.unused_name(it->first + ":rows"), it->second, {value});
    output = value;
  }
}

}  // namespace graft
