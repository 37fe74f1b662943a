#include "importer/node_tree.h"

#include <map>
#include <optional>
#include <set>
#include <span>

#include "importer/op_table.h"
#include "importer/tensor_types.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

/// A branch of a node that chooses: side 0 for true, 1 for false.
struct Branch {
  int node;
  int side;
  auto operator<=>(const Branch&) const = default;
};

/// For each node of a graph the innermost branch that it belongs to.
class BranchMembers {
 public:
  explicit BranchMembers(const Graph& graph)
      : graph_(graph),
        producers_(graph.producers()),
        consumers_(graph.consumers()),
        outputs_(graph.outputs.begin(), graph.outputs.end()),
        branch_(graph.nodes.size()) {
    // Inner Ifs stand before the outer ones that their results reach.
    for (size_t n = 0; n < graph.nodes.size(); ++n)
      if (graph.nodes[n].op->chooses_inputs())
        for (const int side : {0, 1}) claim({static_cast<int>(n), side});
  }
  const std::optional<Branch>& of(size_t node) const { return branch_[node]; }

 private:
  const Node& node(int n) const { return graph_.nodes[static_cast<size_t>(n)]; }
  /// Index of the branch's first result among the inputs of its node.
  size_t first_result(Branch branch) const {
    return 1 + static_cast<size_t>(branch.side) * node(branch.node).outputs.size();
  }

  void claim(Branch branch) {
    std::set<int, std::greater<>> open;  // readers are decided before what they read
    const auto add = [&](ValueId id) {
      if (const int n = id == kNoValue ? -1 : producers_[static_cast<size_t>(id)]; n >= 0) open.insert(n);
    };
    const size_t first = first_result(branch), count = node(branch.node).outputs.size();
    for (size_t i = first; i < first + count; ++i) add(node(branch.node).inputs[i]);
    while (!open.empty()) {
      const int n = *open.begin();
      open.erase(open.begin());
      auto& owner = branch_[static_cast<size_t>(n)];
      if (!owner) {
        if (!is_read_in(n, branch)) continue;
        owner = branch;
      }
      for (ValueId id : node(n).inputs) add(id);
    }
  }

  bool is_read_in(int n, Branch branch) const {
    for (ValueId id : node(n).outputs) {
      if (outputs_.contains(id)) return false;
      for (int reader : consumers_[static_cast<size_t>(id)])
        if (reader == branch.node ? !is_result_alone(id, branch) : !is_within(reader, branch)) return false;
    }
    return true;
  }
  /// Whether the branch's node reads the value as a result of this branch, and not as anything else.
  bool is_result_alone(ValueId id, Branch branch) const {
    const auto& inputs = node(branch.node).inputs;
    const size_t first = first_result(branch), count = node(branch.node).outputs.size();
    for (size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i] == id && (i < first || i >= first + count)) return false;
    return true;
  }
  bool is_within(int n, Branch branch) const {
    for (auto around = branch_[static_cast<size_t>(n)]; around; around = branch_[static_cast<size_t>(around->node)])
      if (*around == branch) return true;
    return false;
  }

  const Graph& graph_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
  std::set<ValueId> outputs_;
  std::vector<std::optional<Branch>> branch_;
};

/// Declares values as the outputs of a branch. Those that it does not make itself (`made`), or gives twice, get an
/// Identity under an unused name first: ONNX lets a subgraph give nothing else.
void declare_results(const Graph& graph, std::span<const ValueId> results, const std::vector<ValueId>& made,
                     onnx::GraphProto& out) {
  std::set<ValueId> free(made.begin(), made.end());
  for (ValueId id : results) {
    std::string name = graph.value(id).name;
    if (free.erase(id) == 0) {
      onnx::NodeProto& copy = *out.add_node();
      copy.set_op_type("Identity");
      copy.add_input(name);
      name = graph.unused_name(out.name() + ":" + std::to_string(out.output_size()));
      copy.add_output(name);
    }
    out.add_output()->set_name(name);
  }
}

class NodeTree {
 public:
  explicit NodeTree(const Graph& graph) : graph_(graph) {
    const BranchMembers members(graph);
    for (size_t n = 0; n < graph.nodes.size(); ++n) nodes_[members.of(n)].push_back(n);
  }

  /// The nodes of a branch, or those outside all of them.
  void write(const std::optional<Branch>& branch, onnx::GraphProto& out) const {
    const auto nodes = nodes_.find(branch);
    if (nodes == nodes_.end()) return;
    for (size_t n : nodes->second) {
      const Node& node = graph_.nodes[n];
      with_place([&] { return describe(node); },
                 [&] {
                   if (node.op->chooses_inputs()) return write_choice(n, out);
                   const auto* write = op_table().writer(*node.op);
                   if (!write) throw Error("has no ONNX form", {}, ErrorCode::unsupported);
                   NodeWriter writer(graph_, node, out);
                   (*write)(*node.op, writer);
                 });
    }
  }

 private:
  void write_choice(size_t n, onnx::GraphProto& out) const {
    const Node& node = graph_.nodes[n];
    onnx::NodeProto& proto = *out.add_node();
    proto.set_op_type("If");
    proto.set_name(node.name);
    proto.add_input(graph_.value(node.inputs[0]).name);
    for (ValueId id : node.outputs) proto.add_output(graph_.value(id).name);
    for (const int side : {0, 1}) {
      auto& attribute = *proto.add_attribute();
      attribute.set_name(side == 0 ? "then_branch" : "else_branch");
      attribute.set_type(onnx::AttributeProto::GRAPH);
      onnx::GraphProto& branch = *attribute.mutable_g();
      branch.set_name(node.name + (side == 0 ? ":then" : ":else"));
      write(Branch{static_cast<int>(n), side}, branch);
      const size_t results = node.outputs.size(), first = 1 + static_cast<size_t>(side) * results;
      std::vector<ValueId> made;
      if (const auto own = nodes_.find(Branch{static_cast<int>(n), side}); own != nodes_.end())
        for (size_t inner : own->second)
          made.insert(made.end(), graph_.nodes[inner].outputs.begin(), graph_.nodes[inner].outputs.end());
      declare_results(graph_, std::span(node.inputs).subspan(first, results), made, branch);
      for (size_t i = 0; i < results; ++i)
        branch.mutable_output(static_cast<int>(i))
            ->mutable_type()
            ->mutable_tensor_type()
            ->set_elem_type(onnx_type(graph_.value(node.outputs[i]).dtype));
    }
  }

  const Graph& graph_;
  std::map<std::optional<Branch>, std::vector<size_t>> nodes_;  // each in the graph's order
};

}  // namespace

void write_nodes(const Graph& graph, onnx::GraphProto& out) { NodeTree(graph).write(std::nullopt, out); }

void for_each_read_name(const onnx::GraphProto& graph, const std::function<void(const std::string&)>& read) {
  for (const auto& node : graph.node()) {
    for (const std::string& name : node.input()) read(name);
    for (const auto& attribute : node.attribute())
      if (attribute.has_g()) for_each_read_name(attribute.g(), read);
  }
}

}  // namespace graft
