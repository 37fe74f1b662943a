#include <algorithm>

#include "runtime/ops/binary.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"
#include "runtime/passes/passes.h"

namespace graft {

void erase_nodes(Graph& graph, const std::vector<bool>& dead) {
  std::vector<Node> kept;
  size_t backward_begin = graph.backward_begin;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!dead[i])
      kept.push_back(std::move(graph.nodes[i]));
    else if (i < graph.backward_begin && graph.backward_begin <= graph.nodes.size())
      --backward_begin;
  }
  graph.backward_begin = backward_begin;
  graph.nodes = std::move(kept);
}

namespace {

/// What a vanilla dropout is outside of training.
void scale_instead(Graph& graph, Node& node, float ratio) {
  const ValueId keep = graph.add_constant(graph.unused_name(node.name + ":keep"), Tensor::of<float>({}, {1 - ratio}));
  node.op = make_binary(Binary::Kind::mul);
  node.inputs = {node.inputs[0], keep};
  node.outputs.resize(1);
}

}  // namespace

void remove_identities(Graph& graph, bool keep_dropout) {
  std::vector<bool> dead(graph.nodes.size(), false);
  std::map<ValueId, ValueId> passed_on;
  // Of a branch that fits no size that was tried no types are known.
  const bool all_types_known = !has_control_flow(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    const Operator* op = node.op.get();
    const auto* to_type = dynamic_cast<const Cast*>(op);
    const bool same_cast = all_types_known && to_type && to_type->to == graph.value(node.inputs[0]).dtype;
    const auto* dropout = dynamic_cast<const Dropout*>(op);
    if (dropout && !keep_dropout && dropout->vanilla) {
      scale_instead(graph, node, dropout->ratio);
      continue;
    }
    if (dynamic_cast<const Identity*>(op) || same_cast || (dropout && (!keep_dropout || dropout->ratio == 0))) {
      passed_on[node.outputs[0]] = node.inputs[0];
      dead[i] = true;
    }
  }
  graph.replace_uses(passed_on);
  erase_nodes(graph, dead);
}

void remove_dead_code(Graph& graph) {
  std::vector<bool> needed(graph.value_count(), false), dead(graph.nodes.size(), true);
  for (ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    bool live = false;
    for (ValueId id : graph.nodes[i].outputs) live = live || needed[static_cast<size_t>(id)];
    if (!live) continue;
    dead[i] = false;
    for (ValueId id : graph.nodes[i].inputs)
      if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
  }
  erase_nodes(graph, dead);
  for (size_t id = 0; id < graph.value_count(); ++id)
    if (!needed[id]) graph.value(static_cast<ValueId>(id)).constant.reset();
}

}  // namespace graft
