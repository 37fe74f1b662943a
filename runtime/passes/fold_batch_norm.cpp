#include <cmath>

#include "runtime/core/users.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/convolution.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

bool all_frozen_constants(const Graph& graph, const Node& node, size_t first) {
  for (size_t i = first; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Value& v = graph.value(node.inputs[i]);
    if (!v.constant || v.trainable || v.dtype != DType::f32) return false;
  }
  return true;
}

void fold(Graph& graph, Node& convolution, const Node& norm, float epsilon) {
  const auto constant = [&](ValueId id) { return graph.value(id).constant->data<float>(); };
  const auto scale = constant(norm.inputs[1]), bias = constant(norm.inputs[2]), mean = constant(norm.inputs[3]),
             variance = constant(norm.inputs[4]);
  Tensor weight = graph.value(convolution.inputs[1]).constant->clone();
  const int64_t channels = weight.shape()[0];
  const size_t per_channel = static_cast<size_t>(weight.elements() / channels);
  Tensor new_bias = Tensor::zeros(DType::f32, {channels});
  const bool had_bias = convolution.inputs.size() > 2 && convolution.inputs[2] != kNoValue;
  for (size_t k = 0; k < static_cast<size_t>(channels); ++k) {
    const float s = scale[k] / std::sqrt(variance[k] + epsilon);
    for (size_t j = 0; j < per_channel; ++j) weight.data<float>()[k * per_channel + j] *= s;
    const float b = had_bias ? constant(convolution.inputs[2])[k] : 0.0f;
    new_bias.data<float>()[k] = (b - mean[k]) * s + bias[k];
  }
  const std::string weight_name = graph.value(convolution.inputs[1]).name;
  convolution.inputs.resize(3, kNoValue);
  convolution.inputs[1] = graph.add_constant(weight_name + ":folded", std::move(weight));
  convolution.inputs[2] = graph.add_constant(weight_name + ":folded_bias", std::move(new_bias));
  convolution.outputs[0] = norm.outputs[0];
}

}  // namespace

void fold_batch_norm(Graph& graph) {
  const Users users(graph);
  std::vector<bool> dead(graph.nodes.size(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* norm = dynamic_cast<const BatchNorm*>(graph.nodes[i].op.get());
    if (!norm || !norm->tail.empty() || !all_frozen_constants(graph, graph.nodes[i], 1)) continue;
    const ValueId x = graph.nodes[i].inputs[0];
    const int source = users.producer(x);
    if (source < 0 || users.only_reader(x) < 0) continue;
    Node& before = graph.nodes[static_cast<size_t>(source)];
    const auto* convolution = dynamic_cast<const Convolution*>(before.op.get());
    if (!convolution || !convolution->tail.empty() || !all_frozen_constants(graph, before, 1)) continue;
    fold(graph, before, graph.nodes[i], norm->epsilon);
    dead[i] = true;
  }
  erase_nodes(graph, dead);
}

}  // namespace graft
