#include "runtime/ops/expansion.h"

#include <numeric>

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
  std::vector<Node> before = std::move(graph.nodes);
  graph.nodes.clear();
  Expansion expansion(graph, node);
  ValueId result = node.op->expand(expansion);
  // The result needs a node of its own, which is the last.
  if (graph.nodes.empty() || graph.nodes.back().outputs[0] != result)
    result = expansion.emit(std::make_shared<Identity>(), {result});
  graph.nodes.back().name = node.name;
  graph.nodes.back().outputs[0] = node.outputs[0];
  std::vector<Node> made = std::move(graph.nodes);
  graph.nodes = std::move(before);
  return made;
}

}  // namespace graft
