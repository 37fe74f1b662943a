#include "finetune/heads/freeze.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "runtime/core/error.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/loop.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/prelu.h"

namespace graft {
namespace {

/// Weights and biases of layers among a node's inputs, scale and bias of batch norms; of a loop those of the layers
/// that it repeats, but for batch norms, which stay as they are.
std::vector<ValueId> layer_inputs(const Node& node) {
  std::vector<ValueId> ids;
  const Operator* op = node.op.get();
  if (dynamic_cast<const Convolution*>(op) || dynamic_cast<const Gemm*>(op) || dynamic_cast<const BatchNorm*>(op))
    ids.assign(node.inputs.begin() + 1, node.inputs.begin() + std::min<std::ptrdiff_t>(3, std::ssize(node.inputs)));
  const auto* loop = dynamic_cast<const Loop*>(op);
  if (!loop) return ids;
  const auto add = [&](ValueId inner) {
    const auto& given = loop->body.inputs;
    const auto at = std::find(given.begin(), given.end(), inner);
    if (at != given.end()) ids.push_back(node.inputs[static_cast<size_t>(at - given.begin())]);
  };
  for (const Node& part : loop->body.nodes) {
    if (dynamic_cast<const BatchNorm*>(part.op.get())) continue;
    for (ValueId inner : layer_inputs(part)) add(inner);
    // Outside of loops a product by a constant matrix is a Gemm by now.
    if (dynamic_cast<const MatMul*>(part.op.get())) add(part.inputs[1]);
  }
  return ids;
}

bool is_number(const Graph& graph, ValueId id) {
  return id != kNoValue && graph.value(id).constant && graph.value(id).dtype == DType::f32;
}

/// A layer's weights and biases; of a product of matrices whichever operand is constant.
std::vector<ValueId> weights(const Graph& graph, const Node& node) {
  std::vector<ValueId> ids = layer_inputs(node);
  if (dynamic_cast<const MatMul*>(node.op.get())) ids = node.inputs;
  std::erase_if(ids, [&](ValueId id) { return !is_number(graph, id); });
  return ids;
}

/// What is added to scores so that some places are not attended to: no number that is learnt.
bool is_mask(const Tensor& tensor) {
  constexpr float kMasked = -50;
  const auto values = tensor.data<float>();
  const auto masked = [](float v) { return v <= kMasked; };
  return std::any_of(values.begin(), values.end(), masked) &&
         std::all_of(values.begin(), values.end(), [&](float v) { return v == 0 || masked(v); });
}

/// For each node whether a layer with weights, no norm, lies before it: before the first one constants are part of the
/// preprocessing.
std::vector<bool> behind_weights(const Graph& graph) {
  std::vector<bool> node_is(graph.nodes.size(), false), value_is(graph.value_count(), false);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    for (ValueId id : node.inputs)
      if (id != kNoValue && value_is[static_cast<size_t>(id)]) node_is[i] = true;
    const bool is_layer = !dynamic_cast<const BatchNorm*>(node.op.get()) && !weights(graph, node).empty();
    for (ValueId id : node.outputs) value_is[static_cast<size_t>(id)] = node_is[i] || is_layer;
  }
  return node_is;
}

/// Inputs of a node that training may change: weights, and what norms scale and shift by, slopes, and constants that
/// are added, multiplied or joined to activations (biases, layer scales, embeddings of places, class tokens).
std::vector<ValueId> trainable_inputs(const Graph& graph, const Node& node, bool behind_weights) {
  std::vector<ValueId> ids = weights(graph, node);
  const Operator* op = node.op.get();
  const auto* binary = dynamic_cast<const Binary*>(op);
  const bool combines = binary && (binary->kind == Binary::Kind::add || binary->kind == Binary::Kind::mul);
  if (dynamic_cast<const Normalise*>(op) || dynamic_cast<const PRelu*>(op)) {
    for (size_t i = 1; i < node.inputs.size(); ++i)
      if (is_number(graph, node.inputs[i])) ids.push_back(node.inputs[i]);
  } else if (behind_weights ? combines || dynamic_cast<const Concat*>(op)
                            : dynamic_cast<const Expand*>(op) != nullptr) {
    for (ValueId id : node.inputs)
      if (is_number(graph, id) && graph.value(id).shape.elements() > 1 && !is_mask(*graph.value(id).constant))
        ids.push_back(id);
  }
  return ids;
}

bool is_batch_norm(const Node& node) { return dynamic_cast<const BatchNorm*>(node.op.get()) != nullptr; }

/// Whether `last:N` counts a node: it has weights, is no batch norm and not the head.
bool counts_as_layer(const Graph& graph, const Node& node, const std::set<ValueId>& head) {
  const auto ids = weights(graph, node);
  return !ids.empty() && !head.contains(ids[0]) && !is_batch_norm(node);
}

/// Everything that a node depends on, itself included.
std::vector<bool> ancestors(const Graph& graph, size_t node) {
  std::vector<bool> marked(graph.nodes.size(), false);
  const auto producer = graph.producers();
  marked[node] = true;
  for (size_t i = node + 1; i-- > 0;) {
    if (!marked[i]) continue;
    for (ValueId id : graph.nodes[i].inputs) {
      if (id == kNoValue) continue;
      const int source = producer[static_cast<size_t>(id)];
      if (source >= 0) marked[static_cast<size_t>(source)] = true;
    }
  }
  return marked;
}

size_t find_node(const Graph& graph, const std::string& name) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (graph.nodes[i].name == name) return i;
    for (ValueId id : graph.nodes[i].outputs)
      if (graph.value(id).name == name) return i;
  }
  throw Error("until:" + name + ": the model has no node of this name", "graft inspect MODEL lists them",
              ErrorCode::not_found)
      .about("freeze");
}

/// Which nodes stay frozen, head aside.
std::vector<bool> frozen_nodes(const Graph& graph, const std::string& policy, const std::set<ValueId>& head) {
  std::vector<bool> frozen(graph.nodes.size(), true);
  const auto argument = [&](const char* prefix) { return policy.substr(std::string(prefix).size()); };
  if (policy == "all") return frozen;
  if (policy == "none") {
    frozen.assign(frozen.size(), false);
  } else if (policy.starts_with("until:")) {
    frozen = ancestors(graph, find_node(graph, argument("until:")));
  } else if (policy.starts_with("last:")) {
    int64_t left = 0;
    try {
      left = std::stoll(argument("last:"));
    } catch (const std::exception&) {
    }
    if (left < 1) throw Error(policy + ": needs a positive number of layers", "write last:3").about("freeze");
    for (size_t i = graph.nodes.size(); i-- > 0 && left > 0;) {
      frozen[i] = false;
      if (counts_as_layer(graph, graph.nodes[i], head)) --left;
    }
  } else if (policy.starts_with("match:")) {
    std::regex pattern;
    try {
      pattern = std::regex(argument("match:"));
    } catch (const std::regex_error&) {
      throw Error(policy + ": is not a regular expression").about("freeze");
    }
    for (size_t i = 0; i < frozen.size(); ++i) frozen[i] = std::regex_search(graph.nodes[i].name, pattern);
    if (std::find(frozen.begin(), frozen.end(), true) == frozen.end())
      throw Error(policy + ": matches the name of no layer", "graft inspect lists them").about("freeze");
  } else {
    throw Error(policy + ": unknown policy", "use all, none, until:NODE, last:N or match:REGEX").about("freeze");
  }
  return frozen;
}

}  // namespace

int64_t layers_below_head(const Graph& graph, const std::vector<std::string>& head) {
  std::set<ValueId> head_values;
  for (const std::string& name : head) head_values.insert(graph.find(name));
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const Node& node) { return counts_as_layer(graph, node, head_values); });
}

FreezeResult apply_freeze(Graph& graph, const FreezeOptions& options, const std::vector<std::string>& head) {
  std::set<ValueId> head_values;
  for (const std::string& name : head) head_values.insert(graph.find(name));
  const auto frozen = frozen_nodes(graph, options.policy, head_values);
  const bool train_norms = options.batch_norm == BatchNormPolicy::train ||
                           (options.batch_norm == BatchNormPolicy::automatic && options.policy == "none");
  FreezeResult result;
  const std::vector<bool> behind = behind_weights(graph);
  std::map<ValueId, bool> trained;  // what several nodes share is trained where one of them is
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const bool norm = is_batch_norm(graph.nodes[i]);
    for (ValueId id : trainable_inputs(graph, graph.nodes[i], behind[i])) {
      bool& trains = trained[id];
      trains = trains || head_values.contains(id) || (!frozen[i] && (!norm || train_norms));
    }
  }
  for (const auto& [id, trains] : trained) {
    graph.value(id).trainable = trains;
    (trains ? result.trainable_parameters : result.frozen_parameters) += graph.value(id).shape.elements();
  }
  return result;
}

}  // namespace graft
