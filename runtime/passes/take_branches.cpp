#include "runtime/passes/take_branches.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft {

Graph take_branches(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  Graph taken = graph;
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) { return node.op->chooses_inputs(); }))
    return taken;
  const Graph closed = specialise(graph, dims, backend);
  std::map<ValueId, ValueId> chosen;
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    if (!node.op->chooses_inputs()) continue;
    if (!closed.value(node.inputs[0]).constant) continue;  // inside a branch that is not taken
    const std::vector<size_t> inputs = node.op->chosen_inputs(input_types(closed, node));
    for (size_t o = 0; o < node.outputs.size(); ++o) chosen[node.outputs[o]] = node.inputs[inputs[o]];
    dead[n] = true;
  }
  taken.replace_uses(chosen);
  erase_nodes(taken, dead);
  remove_dead_code(taken);
  for (const Node& node : taken.nodes) {
    for (ValueId id : node.outputs) {
      taken.value(id).dtype = closed.value(id).dtype;
      taken.value(id).shape = closed.value(id).shape;
    }
  }
  return taken;
}

}  // namespace graft
