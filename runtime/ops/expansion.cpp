#include "runtime/ops/expansion.h"

#include <numeric>
#include <utility>

#include "runtime/core/error.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {

ValueId Operator::expand(Expansion&) const { throw Error("operator " + std::string(type()) + " is no composite"); }

ValueId Expansion::constant(Tensor tensor) { return graph_.add_constant(next_name(), std::move(tensor)); }

ValueId Expansion::emit(OperatorPtr op, std::vector<ValueId> inputs) {
  return graph_.add(next_name(), std::move(op), std::move(inputs));
}

ValueId Expansion::reshape(ValueId x, const std::vector<int64_t>& target) {
  if (shape(x) == Shape(target)) return x;
  const auto rank = static_cast<int64_t>(target.size());
  return emit(std::make_shared<Reshape>(), {x, constant(Tensor::copy_of<int64_t>({rank}, target))});
}

ValueId Expansion::transpose(ValueId x, const std::vector<int64_t>& permutation) {
  std::vector<int64_t> unmoved(permutation.size());
  std::iota(unmoved.begin(), unmoved.end(), int64_t{0});
  if (permutation == unmoved) return x;
  auto op = std::make_shared<Transpose>();
  op->permutation = permutation;
  return emit(op, {x});
}

std::vector<Node> expand(Graph& graph, const Node& node) {
  struct NodesBefore {  // come back whatever happens
    Graph& graph;
    std::vector<Node> nodes = std::exchange(graph.nodes, {});
    ~NodesBefore() { graph.nodes = std::move(nodes); }
  } const before{graph};
  Expansion expansion(graph, node);
  ValueId result = node.op->expand(expansion);
  // The result needs a node of its own, which is the last.
  if (graph.nodes.empty() || graph.nodes.back().outputs[0] != result)
    result = expansion.emit(std::make_shared<Identity>(), {result});
  graph.nodes.back().name = node.name;
  graph.nodes.back().outputs[0] = node.outputs[0];
  return std::move(graph.nodes);
}

}  // namespace graft
