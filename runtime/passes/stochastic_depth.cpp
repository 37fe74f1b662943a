#include <algorithm>

#include "runtime/ops/binary.h"
#include "runtime/ops/dropout.h"
#include "runtime/passes/passes.h"

namespace graft {

int add_stochastic_depth(Graph& graph, float last) {
  // The branch of a residual block is the operand with the longer way from the input; the other is the shortcut.
  std::vector<int> depth(graph.value_count(), 0);
  struct Branch {
    size_t node, operand;
  };
  std::vector<Branch> branches;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    int deepest = 0;
    for (ValueId id : node.inputs)
      if (id != kNoValue) deepest = std::max(deepest, depth[static_cast<size_t>(id)]);
    for (ValueId id : node.outputs) depth[static_cast<size_t>(id)] = deepest + 1;
    const auto* add = dynamic_cast<const Binary*>(node.op.get());
    if (!add || add->kind != Binary::Kind::add) continue;
    const Value &a = graph.value(node.inputs[0]), &b = graph.value(node.inputs[1]);
    const int way_a = depth[static_cast<size_t>(node.inputs[0])], way_b = depth[static_cast<size_t>(node.inputs[1])];
    if (!a.constant && !b.constant && a.shape == b.shape && a.shape.rank() == 4 && way_a != way_b)
      branches.push_back({i, way_a > way_b ? size_t{0} : size_t{1}});
  }
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  size_t next = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (next < branches.size() && branches[next].node == i) {
      auto op = std::make_shared<Dropout>();
      op->ratio = last * static_cast<float>(next + 1) / static_cast<float>(branches.size());
      op->whole_samples = true;
      op->stream = 0x64657000 + static_cast<uint32_t>(next);
      ValueId& branch = nodes[i].inputs[branches[next].operand];
      branch = graph.add(graph.unused_name(nodes[i].name + ":depth"), op, {branch});
      ++next;
    }
    graph.nodes.push_back(std::move(nodes[i]));
  }
  return static_cast<int>(branches.size());
}

void remove_stochastic_depth(Graph& graph) {
  std::vector<bool> dead(graph.nodes.size(), false);
  std::map<ValueId, ValueId> passed_on;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* dropout = dynamic_cast<const Dropout*>(graph.nodes[i].op.get());
    if (!dropout || !dropout->whole_samples) continue;
    passed_on[graph.nodes[i].outputs[0]] = graph.nodes[i].inputs[0];
    dead[i] = true;
  }
  graph.replace_uses(passed_on);
  erase_nodes(graph, dead);
}

}  // namespace graft
