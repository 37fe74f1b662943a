#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

bool has_computed_parameters(const Graph& graph, const Node& node) {
  for (size_t i = 1; i < 5; ++i)
    if (!graph.value(node.inputs[i]).constant) return true;
  return false;
}

/// Emits (x - mean) · scale / √(variance + ε) + bias behind the nodes that the graph has.
void expand(Graph& graph, const Node& node, const BatchNorm& norm) {
  using enum Binary::Kind;
  const auto add_node = [&](const std::string& what, OperatorPtr op, std::vector<ValueId> inputs) {
    return graph.add(graph.unused_name(node.name + ":" + what), std::move(op), std::move(inputs));
  };
  const int64_t rank = graph.value(node.inputs[0]).shape.rank();
  const auto over_channels = [&](const std::string& what, ValueId channels) {
    if (rank == 2) return channels;
    auto op = std::make_shared<Unsqueeze>();
    for (int64_t axis = 1; axis < rank - 1; ++axis) op->axes.push_back(axis);
    return add_node(what + "_over_channels", op, {channels});
  };
  const ValueId least =
      graph.add_constant(graph.unused_name(node.name + ":epsilon"), Tensor::of<float>({}, {norm.epsilon}));
  const ValueId raised = add_node("raised", make_binary(Binary::Kind::add), {node.inputs[4], least});
  const ValueId deviation = add_node("deviation", make_unary(Unary::Kind::sqrt), {raised});
  const ValueId slope = add_node("slope", make_binary(div), {node.inputs[1], deviation});
  const ValueId centred =
      add_node("centred", make_binary(sub), {node.inputs[0], over_channels("mean", node.inputs[3])});
  const ValueId scaled = add_node("scaled", make_binary(mul), {centred, over_channels("slope", slope)});
  graph.add(node.name, make_binary(Binary::Kind::add), {scaled, over_channels("bias", node.inputs[2])});
  graph.nodes.back().outputs[0] = node.outputs[0];
}

}  // namespace

void expand_computed_batch_norm(Graph& graph) {
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : nodes) {
    const auto* norm = dynamic_cast<const BatchNorm*>(node.op.get());
    if (norm && norm->tail.empty() && has_computed_parameters(graph, node))
      expand(graph, node, *norm);
    else
      graph.nodes.push_back(std::move(node));
  }
}

}  // namespace graft
