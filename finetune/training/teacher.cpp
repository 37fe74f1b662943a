#include "finetune/training/teacher.h"

#include <map>

#include "runtime/core/error.h"

namespace graft {

void append_network(Graph& graph, const Graph& other) {
  if (graph.inputs.empty() || other.inputs.size() != 1 || other.outputs.empty())
    throw Error("the teacher must have one input and scores as its output");
  const Shape wanted = graph.value(graph.inputs[0]).shape, found = other.value(other.inputs[0]).shape;
  bool fits = wanted.size() == found.size();
  for (size_t i = 1; fits && i < wanted.size(); ++i)
    fits = wanted[i] == found[i] || wanted[i] == kOpenDim || found[i] == kOpenDim;
  if (!fits)
    throw Error("the teacher takes pictures of " + found.str() + ", the network " + wanted.str(),
                "choose one that sees the same pictures");
  std::map<ValueId, ValueId> known{{kNoValue, kNoValue}, {other.inputs[0], graph.inputs[0]}};
  const auto here = [&](ValueId id) {
    if (const auto it = known.find(id); it != known.end()) return it->second;
    return known[id] =
               graph.add_constant(graph.unused_name("teacher." + other.value(id).name), other.value(id).constant);
  };
  for (const Node& node : other.nodes) {
    std::vector<ValueId> inputs;
    for (ValueId id : node.inputs) inputs.push_back(here(id));
    std::vector<std::string> names;
    for (ValueId id : node.outputs) names.push_back(graph.unused_name("teacher." + other.value(id).name));
    graph.append_node("teacher." + node.name, node.op, std::move(inputs), names);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId made = graph.nodes.back().outputs[i];
      known[node.outputs[i]] = made;
      graph.value(made).dtype = other.value(node.outputs[i]).dtype;
      graph.value(made).shape = other.value(node.outputs[i]).shape;
    }
  }
  graph.outputs.push_back(known.at(other.outputs[0]));
}

}  // namespace graft
