#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

class Fuser {
 public:
  explicit Fuser(Graph& graph) : graph_(graph), users_(graph), dead_(graph.nodes.size(), false) {}

  void run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (dead_[i]) continue;
      while (fuse_next(i)) {
      }
    }
    erase_nodes(graph_, dead_);
  }

 private:
  bool fuse_next(size_t i) {
    const int reader = users_.only_reader(graph_.nodes[i].outputs[0]);
    if (reader < 0) return false;
    const auto next_index = static_cast<size_t>(reader);
    const Node& next = graph_.nodes[next_index];
    if (const auto* unary = dynamic_cast<const Unary*>(next.op.get())) return fuse_activation(i, next_index, *unary);
    if (const auto* binary = dynamic_cast<const Binary*>(next.op.get())) return fuse_residual(i, next_index, *binary);
    return false;
  }

  bool fuse_activation(size_t i, size_t next_index, const Unary& unary) {
    const Activation activation = as_activation(unary);
    if (activation.kind == Activation::Kind::none) return false;
    Node& node = graph_.nodes[i];
    if (graph_.value(node.outputs[0]).dtype != DType::f32) return false;
    OperatorPtr fused = node.op->with_activation(activation);
    if (!fused) return false;
    node.op = std::move(fused);
    absorb(i, next_index);
    return true;
  }

  bool fuse_residual(size_t i, size_t next_index, const Binary& add) {
    Node& node = graph_.nodes[i];
    const Epilogue* tail = node.op->epilogue();
    const std::optional<size_t> slot = node.op->residual_input();
    if (!tail || !tail->empty() || !slot || add.kind != Binary::Kind::add) return false;
    const Node& next = graph_.nodes[next_index];
    const ValueId y = node.outputs[0], other = next.inputs[0] == y ? next.inputs[1] : next.inputs[0];
    if (other == y || graph_.value(other).constant || graph_.value(other).shape != graph_.value(y).shape) return false;
    // The residual must exist before this node runs. When the other branch also ends in a node that could take the Add,
    // the later of the two takes it, so that both convolutions stay in their order.
    if (users_.producer(other) > static_cast<int>(i)) return false;
    Epilogue more{true, add.activation};
    node.op = node.op->with_epilogue(more);
    node.inputs.resize(*slot, kNoValue);
    node.inputs.push_back(other);
    absorb(i, next_index);
    return true;
  }

  void absorb(size_t i, size_t next_index) {
    graph_.nodes[i].outputs[0] = graph_.nodes[next_index].outputs[0];
    users_.set_producer(graph_.nodes[i].outputs[0], i);
    dead_[next_index] = true;
  }

  Graph& graph_;
  Users users_;
  std::vector<bool> dead_;
};

}  // namespace

void fuse_epilogues(Graph& graph) { Fuser(graph).run(); }

}  // namespace graft
