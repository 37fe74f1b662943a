#include "runtime/passes/resolve_control_flow.h"

#include <utility>

namespace graft {

Graph resolve_control_flow(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  if (!has_control_flow(graph)) return graph;
  ControlFlowTrace trace;
  Graph resolved = specialise(graph, dims, backend, &trace);
  resolved.nodes = std::move(trace.nodes);
  // What was computed from extents is made by nodes again; the inputs are open.
  for (const Node& node : resolved.nodes)
    for (ValueId id : node.outputs) resolved.value(id).constant.reset();
  for (ValueId id : graph.inputs) resolved.value(id).shape = graph.value(id).shape;
  remove_identities(resolved, true);
  remove_dead_code(resolved);
  return resolved;
}

}  // namespace graft
