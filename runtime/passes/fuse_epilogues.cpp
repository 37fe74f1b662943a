#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// Index of the input that a residual takes (after the optional bias of convolutions and dense layers).
size_t residual_slot(const Operator& op) {
  if (dynamic_cast<const BatchNorm*>(&op)) return 5;
  return dynamic_cast<const ConvolutionBackwardData*>(&op) ? 2 : 3;
}

bool is_output(const Graph& graph, ValueId id) {
  for (ValueId output : graph.outputs)
    if (output == id) return true;
  return false;
}

class Fuser {
 public:
  explicit Fuser(Graph& graph)
      : graph_(graph), readers_(graph.consumers()), producer_(graph.producers()), dead_(graph.nodes.size(), false) {}

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
    Node& node = graph_.nodes[i];
    const ValueId y = node.outputs[0];
    const auto& readers = readers_[static_cast<size_t>(y)];
    if (readers.size() != 1 || is_output(graph_, y)) return false;
    const auto next_index = static_cast<size_t>(readers[0]);
    const Node& next = graph_.nodes[next_index];
    if (const auto* unary = dynamic_cast<const Unary*>(next.op.get())) return fuse_activation(i, next_index, *unary);
    if (const auto* binary = dynamic_cast<const Binary*>(next.op.get())) return fuse_residual(i, next_index, *binary);
    return false;
  }

  bool fuse_activation(size_t i, size_t next_index, const Unary& unary) {
    const Activation activation = as_activation(unary);
    if (activation.kind == Activation::Kind::none) return false;
    Node& node = graph_.nodes[i];
    if (const auto* add = dynamic_cast<const Binary*>(node.op.get())) {
      if (add->activation.kind != Activation::Kind::none || graph_.value(node.outputs[0]).dtype != DType::f32)
        return false;
      auto fused = std::make_shared<Binary>(*add);
      fused->activation = activation;
      node.op = fused;
    } else {
      const Epilogue* tail = node.op->epilogue();
      if (!tail || tail->activation.kind != Activation::Kind::none) return false;
      Epilogue more = *tail;
      more.activation = activation;
      node.op = node.op->with_epilogue(more);
    }
    absorb(i, next_index);
    return true;
  }

  bool fuse_residual(size_t i, size_t next_index, const Binary& add) {
    Node& node = graph_.nodes[i];
    const Epilogue* tail = node.op->epilogue();
    if (!tail || !tail->empty() || add.kind != Binary::Kind::add) return false;
    const Node& next = graph_.nodes[next_index];
    const ValueId y = node.outputs[0], other = next.inputs[0] == y ? next.inputs[1] : next.inputs[0];
    if (other == y || graph_.value(other).constant || graph_.value(other).shape != graph_.value(y).shape) return false;
    // The residual must exist before this node runs. When the other branch also ends in a node that could take the Add,
    // the later of the two takes it, so that both convolutions stay in their order.
    const int other_producer = producer_[static_cast<size_t>(other)];
    if (other_producer > static_cast<int>(i)) return false;
    Epilogue more{true, add.activation};
    node.op = node.op->with_epilogue(more);
    node.inputs.resize(residual_slot(*node.op), kNoValue);
    node.inputs.push_back(other);
    absorb(i, next_index);
    return true;
  }

  void absorb(size_t i, size_t next_index) {
    graph_.nodes[i].outputs[0] = graph_.nodes[next_index].outputs[0];
    producer_[static_cast<size_t>(graph_.nodes[i].outputs[0])] = static_cast<int>(i);
    dead_[next_index] = true;
  }

  Graph& graph_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> producer_;
  std::vector<bool> dead_;
};

}  // namespace

void fuse_epilogues(Graph& graph) { Fuser(graph).run(); }

}  // namespace graft
