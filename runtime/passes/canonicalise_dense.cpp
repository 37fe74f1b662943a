#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// The constant operand of a plain Add that follows value `id`, or kNoValue.
ValueId added_constant(const Graph& graph, const Node& add, ValueId id) {
  const auto* binary = dynamic_cast<const Binary*>(add.op.get());
  if (!binary || binary->kind != Binary::Kind::add || binary->activation.kind != Activation::Kind::none)
    return kNoValue;
  const ValueId other = add.inputs[0] == id ? add.inputs[1] : add.inputs[0];
  return graph.value(other).constant ? other : kNoValue;
}

bool is_channel_bias(const Shape& shape, int64_t channels) {
  if (shape.elements() != channels || shape.rank() > 4 || shape.rank() < 3) return false;
  return shape[shape.size() - 3] == channels;
}

}  // namespace

void canonicalise_dense(Graph& graph) {
  for (Node& node : graph.nodes) {
    if (!dynamic_cast<const MatMul*>(node.op.get())) continue;
    const bool matrices =
        graph.value(node.inputs[0]).shape.rank() == 2 && graph.value(node.inputs[1]).shape.rank() == 2;
    if (matrices && graph.value(node.inputs[1]).constant) node.op = std::make_shared<Gemm>();
  }
  const Users users(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node& node = graph.nodes[i];
    const auto* gemm = dynamic_cast<const Gemm*>(node.op.get());
    const auto* convolution = dynamic_cast<const Convolution*>(node.op.get());
    if (!gemm && !convolution) continue;
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
    const Epilogue& tail = gemm ? gemm->tail : convolution->tail;
    if (has_bias || !tail.empty()) continue;
    const int reader = users.only_reader(node.outputs[0]);
    if (reader < 0) continue;
    Node& add = graph.nodes[static_cast<size_t>(reader)];
    const ValueId bias = added_constant(graph, add, node.outputs[0]);
    if (bias == kNoValue) continue;
    const Shape& y = graph.value(node.outputs[0]).shape;
    if (y.rank() < 2) continue;  // of a branch that fits no size that was tried: nothing is known about it
    Value& value = graph.value(bias);
    if (gemm) {
      const bool row = value.shape == Shape{y[1]} || value.shape == Shape{1, y[1]};
      if (!row) continue;
    } else {
      if (!is_channel_bias(value.shape, y[1]) || value.trainable) continue;
    }
    ValueId bias_input = bias;
    if (convolution) {
      Tensor flat = value.constant->clone();
      flat.reshape({y[1]});
      bias_input = graph.add_constant(graph.value(bias).name + ":bias", std::move(flat));
    }
    Node& target = graph.nodes[i];
    target.inputs.resize(3, kNoValue);
    target.inputs[2] = bias_input;
    target.outputs[0] = add.outputs[0];
    dead[static_cast<size_t>(reader)] = true;
  }
  erase_nodes(graph, dead);
}

}  // namespace graft
