#include "finetune/heads/freeze.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "finetune/heads/transformer_blocks.h"
#include "runtime/core/error.h"
#include "runtime/core/users.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/loop.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/prelu.h"
#include "runtime/ops/quantise.h"
#include "runtime/ops/rearrange.h"

namespace graft {
namespace {

/// Weights and biases of layers among a node's inputs, scale and bias of batch norms; of a loop those of the layers
/// that it repeats, but for batch norms, which stay as they are.
std::vector<ValueId> layer_inputs(const Node& node) {
  std::vector<ValueId> ids;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (node.op->weights().contains(i)) ids.push_back(node.inputs[i]);
  const auto* loop = dynamic_cast<const Loop*>(node.op.get());
  if (!loop) return ids;
  const auto add = [&](ValueId inner) {
    const auto& given = loop->body.inputs;
    const auto at = std::find(given.begin(), given.end(), inner);
    if (at != given.end()) ids.push_back(node.inputs[static_cast<size_t>(at - given.begin())]);
  };
  for (const Node& part : loop->body.nodes) {
    if (dynamic_cast<const BatchNorm*>(part.op.get())) continue;
    // What is multiplied may be the state that the loop begins with.
    if (dynamic_cast<const MatMul*>(part.op.get()))
      add(part.inputs[1]);
    else
      for (ValueId inner : layer_inputs(part)) add(inner);
  }
  return ids;
}

/// What is added to scores so that some places are not attended to, or multiplied to leave some out: no number that is
/// learnt.
bool is_mask(const Tensor& tensor) {
  constexpr float kMasked = -50;
  const auto values = tensor.data<float>();
  const auto masked = [](float v) { return v <= kMasked; };
  const bool bars = std::any_of(values.begin(), values.end(), masked) &&
                    std::all_of(values.begin(), values.end(), [&](float v) { return v == 0 || masked(v); });
  const bool picks = std::all_of(values.begin(), values.end(), [](float v) { return v == 0 || v == 1; }) &&
                     std::find(values.begin(), values.end(), 0.0f) != values.end() &&
                     std::find(values.begin(), values.end(), 1.0f) != values.end();
  return bars || picks;
}

/// Which constants of a graph are weights of which nodes. A node may read them by way of others that read weights alone
/// (standardised, reshaped, gathered from a table, shared under another name).
class Weights {
 public:
  explicit Weights(const Graph& graph)
      : graph_(graph), producer_(graph.producers()), follows_input_(values_following_inputs(graph)) {}

  /// A layer's weights and biases; of a product of matrices whichever operand is constant.
  std::vector<ValueId> of_layer(const Node& node) const { return constants(layer_inputs(node), Parts::taken); }

  /// For each node whether a layer with weights, no norm, lies before it: before the first one constants are part of
  /// the preprocessing.
  std::vector<bool> behind_layers() const {
    std::vector<bool> node_is(graph_.nodes.size(), false), value_is(graph_.value_count(), false);
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      for (ValueId id : node.inputs)
        if (id != kNoValue && value_is[static_cast<size_t>(id)]) node_is[i] = true;
      const bool is_layer = !dynamic_cast<const BatchNorm*>(node.op.get()) && !of_layer(node).empty();
      for (ValueId id : node.outputs) value_is[static_cast<size_t>(id)] = node_is[i] || is_layer;
    }
    return node_is;
  }

  /// Inputs of a node that training may change: weights, and what norms scale and shift by, slopes, and constants that
  /// are added, multiplied or joined to activations (biases, layer scales, embeddings of places, class tokens), or that
  /// the data pick rows of.
  std::vector<ValueId> trainable(const Node& node, bool behind_layers) const {
    std::vector<ValueId> ids = of_layer(node);
    const Operator* op = node.op.get();
    const auto* binary = dynamic_cast<const Binary*>(op);
    const bool combines = binary && (binary->kind == Binary::Kind::add || binary->kind == Binary::Kind::mul);
    if (dynamic_cast<const Normalise*>(op) || dynamic_cast<const PRelu*>(op)) {
      const auto own = constants({node.inputs.begin() + 1, node.inputs.end()});
      ids.insert(ids.end(), own.begin(), own.end());
    } else if (dynamic_cast<const Gather*>(op) && follows_input_[static_cast<size_t>(node.inputs[1])]) {
      add_numbers(ids, {node.inputs[0]});
    } else if (dynamic_cast<const Expand*>(op) || dynamic_cast<const Tile*>(op) ||
               (behind_layers && (combines || dynamic_cast<const Concat*>(op)))) {
      add_numbers(ids, node.inputs);
    }
    return ids;
  }

 private:
  /// Adds the constants among values that are more than one number and no mask.
  void add_numbers(std::vector<ValueId>& to, const std::vector<ValueId>& values) const {
    for (ValueId id : constants(values))
      if (graph_.value(id).shape.elements() > 1 && !is_mask(*graph_.value(id).constant)) to.push_back(id);
  }
  static bool picks_part(const Operator& op) {
    return op.is_reshape() || dynamic_cast<const Slice*>(&op) || dynamic_cast<const SplitSlice*>(&op) ||
           dynamic_cast<const Transpose*>(&op) || dynamic_cast<const Gather*>(&op);
  }
  /// The numbers that values are, or are made of where nothing else goes into them.
  /// `parts`: whether also of parts of them whose bounds follow from the picture's extents; as weights those are parts
  /// of a projection, as other operands also of tables that nothing learns.
  enum class Parts : bool { left, taken };
  std::vector<ValueId> constants(const std::vector<ValueId>& values, Parts parts = Parts::left) const {
    std::vector<ValueId> found;
    std::set<ValueId> seen;
    std::vector<ValueId> open(values.rbegin(), values.rend());
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == kNoValue || !seen.insert(id).second) continue;
      if (follows_input_[static_cast<size_t>(id)]) {
        // A part of a weight whose bounds follow from the picture's extents: projections that share one matrix.
        const int by = producer_[static_cast<size_t>(id)];
        if (parts == Parts::taken && by >= 0 && picks_part(*graph_.nodes[static_cast<size_t>(by)].op))
          open.push_back(graph_.nodes[static_cast<size_t>(by)].inputs[0]);
        continue;
      }
      const Value& value = graph_.value(id);
      const bool direct = std::find(values.begin(), values.end(), id) != values.end();
      // Of what others are made of, single numbers are exponents and the like.
      if (value.constant && value.dtype == DType::f32 && (direct || value.shape.elements() > 1)) found.push_back(id);
      const int source = producer_[static_cast<size_t>(id)];
      if (source < 0) continue;
      const Node& node = graph_.nodes[static_cast<size_t>(source)];
      const bool norm = dynamic_cast<const BatchNorm*>(node.op.get()) != nullptr;  // its statistics are measured
      for (size_t i = std::min<size_t>(node.inputs.size(), norm ? 3 : SIZE_MAX); i-- > 0;)
        open.push_back(node.inputs[i]);
    }
    return found;
  }

  const Graph& graph_;
  std::vector<int> producer_;
  std::vector<bool> follows_input_;
};

bool is_batch_norm(const Node& node) { return dynamic_cast<const BatchNorm*>(node.op.get()) != nullptr; }

/// What `last:N` counts, for each node the number of one, from 0 in the order of the network, or -1: layers that have
/// weights, are no batch norms and not the head; those of a transformer's block are one, with all that the block holds.
std::vector<int> counted_layers(const Graph& graph, const std::set<ValueId>& head) {
  const Weights weights(graph);
  const std::vector<int> block = transformer_blocks(graph);
  std::map<int, int> of_block;
  std::vector<int> number(graph.nodes.size(), -1);
  int count = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (block[i] >= 0) {
      const auto [at, is_new] = of_block.emplace(block[i], count);
      number[i] = at->second;
      count += is_new;
      continue;
    }
    const auto ids = weights.of_layer(graph.nodes[i]);
    if (!ids.empty() && !head.contains(ids[0]) && !is_batch_norm(graph.nodes[i])) number[i] = count++;
  }
  return number;
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
    const std::vector<int> number = counted_layers(graph, head);
    std::set<int> opened;
    for (size_t i = graph.nodes.size(); i-- > 0;) {
      if (number[i] < 0) {
        frozen[i] = std::ssize(opened) == left;
      } else {
        if (std::ssize(opened) < left) opened.insert(number[i]);
        frozen[i] = !opened.contains(number[i]);
      }
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
  const std::vector<int> number = counted_layers(graph, head_values);
  return number.empty() ? 0 : *std::max_element(number.begin(), number.end()) + 1;
}

FreezeResult apply_freeze(Graph& graph, const FreezeOptions& options, const std::vector<std::string>& head) {
  std::set<ValueId> head_values;
  for (const std::string& name : head) head_values.insert(graph.find(name));
  const auto frozen = frozen_nodes(graph, options.policy, head_values);
  const bool train_norms = options.batch_norm == BatchNormPolicy::train ||
                           (options.batch_norm == BatchNormPolicy::automatic && options.policy == "none");
  FreezeResult result;
  const Weights weights(graph);
  const std::vector<bool> behind = weights.behind_layers();
  std::map<ValueId, bool> trained;  // what several nodes share is trained where one of them is
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const bool norm = is_batch_norm(graph.nodes[i]);
    for (ValueId id : weights.trainable(graph.nodes[i], behind[i])) {
      bool& trains = trained[id];
      trains = trains || head_values.contains(id) || (!frozen[i] && (!norm || train_norms));
    }
  }
  for (const auto& [id, trains] : trained) {
    graph.value(id).trainable = trains;
    (trains ? result.trainable_parameters : result.frozen_parameters) += graph.value(id).shape.elements();
  }
  for (const Node& node : graph.nodes) {
    if (!dynamic_cast<const Dequantise*>(node.op.get()) || !graph.value(node.inputs[0]).constant) continue;
    result.quantised_parameters += graph.value(node.inputs[0]).shape.elements();
  }
  result.frozen_parameters += result.quantised_parameters;
  return result;
}

}  // namespace graft
