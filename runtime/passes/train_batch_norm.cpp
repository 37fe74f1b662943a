#include "runtime/ops/batch_norm.h"
#include "runtime/passes/passes.h"

namespace graft {

std::vector<BatchStatistics> train_batch_norm(Graph& graph) {
  std::vector<BatchStatistics> statistics;
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : nodes) {
    const auto* norm = dynamic_cast<const BatchNorm*>(node.op.get());
    const bool trained = norm && (graph.value(node.inputs[1]).trainable || graph.value(node.inputs[2]).trainable);
    if (!trained) {
      graph.nodes.push_back(std::move(node));
      continue;
    }
    auto op = std::make_shared<BatchNormTraining>();
    op->epsilon = norm->epsilon;
    const ValueId x = node.inputs[0];
    const auto results = graph.add_node(node.name, op, {x, node.inputs[1], node.inputs[2]});
    graph.nodes.back().outputs[0] = node.outputs[0];
    const Shape& shape = graph.value(x).shape;
    statistics.push_back({graph.value(node.inputs[3]).constant, graph.value(node.inputs[4]).constant, results[1],
                          results[2], norm->momentum, shape.elements() / shape[1]});
    graph.outputs.push_back(results[1]);
    graph.outputs.push_back(results[2]);
  }
  return statistics;
}

}  // namespace graft
