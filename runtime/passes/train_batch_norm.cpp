#include "runtime/ops/batch_norm.h"
#include "runtime/ops/reshape.h"
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
    const ValueId given = node.inputs[0];
    const bool sequence = graph.value(given).shape.rank() == 3;  // N×C×L as N×C×L×1: kernels take pictures
    ValueId x = given;
    if (sequence) {
      auto wider = std::make_shared<Unsqueeze>();
      wider->axes = {3};
      x = graph.add(graph.unused_name(node.name + ":wider"), wider, {given});
    }
    const auto results = graph.add_node(node.name, op, {x, node.inputs[1], node.inputs[2]});
    if (sequence) {
      auto narrower = std::make_shared<Squeeze>();
      narrower->axes = {3};
      graph.add(graph.unused_name(node.name + ":narrower"), narrower, {results[0]});
    }
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
