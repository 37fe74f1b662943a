#include "finetune/heads/insert_norms.h"

#include <algorithm>
#include <cmath>

#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/reduce.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

const std::string kInserted = "/inserted_norm";

Tensor tensor_of(const std::vector<float>& values) {
  Tensor tensor = Tensor::zeros(DType::f32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), tensor.data<float>().begin());
  return tensor;
}

bool is_inserted(const Node& node) { return node.name.ends_with(kInserted); }

/// Whether a norm could stand behind a node.
bool is_bare_convolution(const Graph& graph, const Node& node, const std::vector<std::vector<int>>& consumers) {
  const auto* convolution = dynamic_cast<const Convolution*>(node.op.get());
  if (!convolution || !convolution->tail.empty()) return false;
  const Shape& shape = graph.value(node.outputs[0]).shape;
  if (shape.rank() != 4 || shape[1] < 1 || shape[2] * shape[3] == 1) return false;
  const auto& readers = consumers[static_cast<size_t>(node.outputs[0])];
  return std::none_of(readers.begin(), readers.end(), [&](int reader) {
    return dynamic_cast<const BatchNorm*>(graph.nodes[static_cast<size_t>(reader)].op.get()) != nullptr;
  });
}

}  // namespace

bool has_norms(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
    if (dynamic_cast<const BatchNorm*>(node.op.get()) || dynamic_cast<const Normalise*>(node.op.get())) return true;
    // A mean over channels or features is a layer norm that is spelled out.
    const auto* mean = dynamic_cast<const Reduce*>(node.op.get());
    if (!mean || mean->kind != Reduce::Kind::mean || mean->global_pool || mean->all_axes || !mean->keep_dims)
      return false;
    const int64_t rank = graph.value(node.inputs[0]).shape.rank();
    if (rank < 3) return false;
    const std::vector<bool> reduced = mean->reduced(rank);
    return std::count(reduced.begin(), reduced.end(), true) == 1 && (reduced.back() || reduced[1]);
  });
}

Graph statistics_graph(const Graph& graph, std::vector<std::string>& names) {
  Graph measuring = graph;
  measuring.outputs.clear();
  const auto consumers = graph.consumers();
  const auto mean = std::make_shared<Reduce>();
  mean->axes = {2, 3};
  std::vector<Node> nodes;  // what measures a value stands right behind it, so that its memory is free soon
  const auto append = [&](const std::string& name, OperatorPtr op, std::vector<ValueId> inputs) {
    const ValueId value = measuring.add(name, std::move(op), std::move(inputs));
    nodes.push_back(measuring.nodes.back());
    measuring.nodes.pop_back();
    return value;
  };
  for (const Node& node : graph.nodes) {
    nodes.push_back(node);
    if (!is_bare_convolution(graph, node, consumers)) continue;
    const ValueId x = node.outputs[0];
    const std::string& name = graph.value(x).name;
    names.push_back(name);
    measuring.outputs.push_back(append(name + "/mean", mean, {x}));
    const ValueId square = append(name + "/square", make_binary(Binary::Kind::mul), {x, x});
    measuring.outputs.push_back(append(name + "/mean_square", mean, {square}));
  }
  measuring.nodes = std::move(nodes);
  remove_dead_code(measuring);
  return measuring;
}

int insert_norms(Graph& graph, const NormStatistics& statistics) {
  const auto consumers = graph.consumers();
  std::vector<Node> nodes;
  std::map<ValueId, ValueId> renamed;
  const std::vector<Node> before = graph.nodes;
  for (const Node& node : before) {
    nodes.push_back(node);
    if (!is_bare_convolution(graph, node, consumers) || !graph.value(node.inputs[1]).trainable) continue;
    const ValueId x = node.outputs[0];
    const std::string name = graph.value(x).name;
    const auto known = statistics.find(name);
    if (known == statistics.end()) continue;
    const ChannelStatistics& s = known->second;
    auto norm = std::make_shared<BatchNorm>();
    std::vector<float> scale;
    for (const float variance : s.variance) scale.push_back(std::sqrt(variance + norm->epsilon));
    const auto constant = [&](const char* what, const std::vector<float>& values, bool trainable) {
      const ValueId id = graph.add_constant(graph.unused_name(name + kInserted + what), tensor_of(values));
      graph.value(id).trainable = trainable;
      return id;
    };
    const std::vector<ValueId> inputs{x, constant(".scale", scale, true), constant(".bias", s.mean, true),
                                      constant(".mean", s.mean, false), constant(".variance", s.variance, false)};
    const std::string output = graph.unused_name(name + "/normalised");
    graph.append_node(name + kInserted, norm, inputs, {output});
    nodes.push_back(graph.nodes.back());
    graph.nodes.pop_back();
    const ValueId y = nodes.back().outputs[0];
    graph.value(y).dtype = graph.value(x).dtype;
    graph.value(y).shape = graph.value(x).shape;
    renamed[x] = y;
  }
  for (Node& node : nodes)
    if (!is_inserted(node))
      for (ValueId& id : node.inputs)
        if (const auto to = renamed.find(id); to != renamed.end()) id = to->second;
  for (ValueId& id : graph.outputs)
    if (const auto to = renamed.find(id); to != renamed.end()) id = to->second;
  graph.nodes = std::move(nodes);
  return static_cast<int>(renamed.size());
}

void fold_inserted_norms(Graph& graph) {
  const auto producers = graph.producers();
  const auto consumers = graph.consumers();
  std::vector<bool> dead(graph.nodes.size(), false);
  std::map<ValueId, ValueId> renamed;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node norm = graph.nodes[n];
    if (!is_inserted(norm)) continue;
    dead[n] = true;
    renamed[norm.outputs[0]] = norm.inputs[0];
    Node& convolution = graph.nodes[static_cast<size_t>(producers[static_cast<size_t>(norm.inputs[0])])];
    const auto floats = [&](ValueId id) { return graph.value(id).constant->data<float>(); };
    // Weights that another node reads stay what they are there.
    const auto make_own = [&](size_t input) {
      ValueId& id = convolution.inputs[input];
      graph.value(id).trainable = false;
      if (consumers[static_cast<size_t>(id)].size() > 1)
        id = graph.add_constant(graph.unused_name(graph.value(id).name), graph.value(id).constant->clone());
    };
    make_own(1);
    const auto w = floats(convolution.inputs[1]);
    const auto channels = static_cast<size_t>(graph.value(convolution.inputs[1]).shape[0]);
    if (convolution.inputs.size() > 2 && convolution.inputs[2] != kNoValue) {
      make_own(2);
    } else {
      convolution.inputs.resize(3, kNoValue);
      convolution.inputs[2] = graph.add_constant(graph.unused_name(graph.value(convolution.inputs[1]).name + ".bias"),
                                                 Tensor::zeros(DType::f32, {static_cast<int64_t>(channels)}));
    }
    const auto b = floats(convolution.inputs[2]), scale = floats(norm.inputs[1]), bias = floats(norm.inputs[2]),
               mean = floats(norm.inputs[3]), variance = floats(norm.inputs[4]);
    const float epsilon = dynamic_cast<const BatchNorm&>(*norm.op).epsilon;
    const size_t width = w.size() / channels;
    for (size_t c = 0; c < channels; ++c) {
      const float s = scale[c] / std::sqrt(variance[c] + epsilon);
      for (size_t i = 0; i < width; ++i) w[c * width + i] *= s;
      b[c] = (b[c] - mean[c]) * s + bias[c];
    }
  }
  graph.replace_uses(renamed);
  erase_nodes(graph, dead);
}

}  // namespace graft
