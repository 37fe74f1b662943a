#include "runtime/passes/insert_quantisation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "runtime/core/users.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/quantise.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

/// Whether a bias is one number for all of `outputs`, or one for each.
bool is_plain_bias(const Value& bias, int64_t outputs) {
  const Shape& shape = bias.shape;
  return bias.constant && bias.dtype == DType::f32 &&
         (shape.elements() == 1 || (shape.elements() == outputs && shape.rank() > 0 && shape.back() == outputs));
}

bool has_known_weights(const Graph& graph, const Node& node, int64_t outputs) {
  const Value& w = graph.value(node.inputs[1]);
  const bool known_bias =
      node.inputs.size() < 3 || node.inputs[2] == kNoValue || is_plain_bias(graph.value(node.inputs[2]), outputs);
  return w.constant && !w.trainable && w.dtype == DType::f32 && w.constant->elements() > 0 && known_bias &&
         !graph.value(node.inputs[0]).constant && graph.value(node.inputs[0]).dtype == DType::f32;
}

/// Finds which values need steps, from the end of the graph to its front.
class Finder {
 public:
  Finder(const Graph& graph, const std::vector<size_t>& layers)
      : graph_(graph), users_(graph), group_(graph.value_count(), kNone) {
    std::vector<bool> is_layer(graph.nodes.size(), false);
    for (const size_t layer : layers) is_layer[layer] = true;
    for (const size_t layer : layers) mark(graph.nodes[layer].inputs[0]);
    for (size_t i = graph.nodes.size(); i-- > 0;) {
      const Node& node = graph.nodes[i];
      if (is_layer[i] || node.outputs.empty()) continue;
      if (is_sum(node) && leads_to_steps(node.outputs[0]) && any_from(node, is_layer)) {
        for (ValueId id : node.inputs) mark(id);
      } else if (keeps_steps(*node.op) && marked(node.outputs[0])) {
        for (ValueId id : node.inputs)
          if (graph.value(id).dtype == DType::f32) join(id, node.outputs[0]);
      } else if (const auto* mean = dynamic_cast<const Reduce*>(node.op.get());
                 mean && mean->kind == Reduce::Kind::mean && marked(node.outputs[0])) {
        mark(node.inputs[0]);
      }
    }
  }

  std::vector<QuantisedValue> values() {
    std::vector<QuantisedValue> list;
    for (size_t id = 0; id < group_.size(); ++id)
      if (group_[id] != kNone) list.push_back({static_cast<ValueId>(id), root(group_[id])});
    return list;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;

  void mark(ValueId id) {
    size_t& group = group_[static_cast<size_t>(id)];
    if (group != kNone) return;
    group = parents_.size();
    parents_.push_back(group);
  }
  bool marked(ValueId id) const { return group_[static_cast<size_t>(id)] != kNone; }
  void join(ValueId id, ValueId other) {
    mark(id);
    parents_[root(group_[static_cast<size_t>(id)])] = root(group_[static_cast<size_t>(other)]);
  }
  size_t root(size_t group) const {
    while (parents_[group] != group) group = parents_[group];
    return group;
  }

  bool is_sum(const Node& node) const {
    const auto* binary = dynamic_cast<const Binary*>(node.op.get());
    return binary && binary->kind == Binary::Kind::add && !graph_.value(node.inputs[0]).constant &&
           !graph_.value(node.inputs[1]).constant && node.inputs[0] != node.inputs[1] &&
           graph_.value(node.inputs[0]).shape == graph_.value(node.inputs[1]).shape &&
           graph_.value(node.inputs[0]).shape.rank() == 4;
  }
  /// Whether a value is quantised itself, or as soon as it is activated.
  bool leads_to_steps(ValueId id) const {
    if (marked(id)) return true;
    const int reader = users_.only_reader(id);
    if (reader < 0) return false;
    const Node& node = graph_.nodes[static_cast<size_t>(reader)];
    const auto* unary = dynamic_cast<const Unary*>(node.op.get());
    return unary && as_activation(*unary).kind != Activation::Kind::none && marked(node.outputs[0]);
  }
  bool any_from(const Node& node, const std::vector<bool>& is_layer) const {
    return std::ranges::any_of(node.inputs, [&](ValueId id) {
      const int from = users_.producer(id);
      return from >= 0 && is_layer[static_cast<size_t>(from)];
    });
  }

  const Graph& graph_;
  Users users_;
  std::vector<size_t> group_, parents_;
};

/// int8 with a scale for each index along `axis`, and the floats that those stand for.
struct RoundedWeights {
  Tensor numbers, scales, floats;
};

/// `least`: of each channel's scale.
RoundedWeights rounded_weights(const Tensor& w, int64_t axis, std::span<const float> least) {
  constexpr float kMost = 127;
  const Shape& shape = w.shape();
  const int64_t channels = shape[static_cast<size_t>(axis)];
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(axis) + 1; d < shape.size(); ++d) inner *= shape[d];
  const auto channel = [&](int64_t i) { return static_cast<size_t>(i / inner % channels); };
  RoundedWeights rounded{Tensor(DType::i8, shape), Tensor::zeros(DType::f32, {channels}), Tensor(DType::f32, shape)};
  const auto values = w.data<float>();
  const auto scales = rounded.scales.data<float>();
  const auto numbers = rounded.numbers.data<int8_t>();
  const auto floats = rounded.floats.data<float>();
  const int64_t elements = w.elements();
  for (int64_t i = 0; i < elements; ++i)
    scales[channel(i)] = std::max(scales[channel(i)], std::fabs(values[static_cast<size_t>(i)]) / kMost);
  for (size_t c = 0; c < scales.size(); ++c) {
    scales[c] = std::max(scales[c], least[c]);
    if (!(scales[c] > 0)) scales[c] = 1;
  }
  for (int64_t i = 0; i < elements; ++i) {
    const float scale = scales[channel(i)];
    const float q = std::clamp(std::nearbyint(values[static_cast<size_t>(i)] / scale), -kMost, kMost);
    numbers[static_cast<size_t>(i)] = static_cast<int8_t>(q);
    floats[static_cast<size_t>(i)] = q * scale;
  }
  return rounded;
}

class Inserter {
 public:
  Inserter(Graph& graph, const std::vector<size_t>& layers, const std::map<ValueId, Steps>& steps,
           const std::map<ValueId, std::vector<float>>& means)
      : graph_(graph), steps_(steps), means_(means), is_layer_(graph.nodes.size(), false) {
    for (const size_t layer : layers) is_layer_[layer] = true;
  }

  void run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (const auto& [id, steps] : steps_)
      if (std::ranges::find(graph_.inputs, id) != graph_.inputs.end()) quantise(id, steps);
    for (size_t i = 0; i < old.size(); ++i) {
      Node node = std::move(old[i]);
      const ValueId x = node.inputs.empty() ? kNoValue : node.inputs[0];
      for (ValueId& id : node.inputs)
        if (const auto at = rounded_.find(id); at != rounded_.end()) id = at->second;
      if (is_layer_[i]) quantise_weights(node, x);
      graph_.nodes.push_back(node);
      for (const ValueId id : node.outputs)
        if (const auto at = steps_.find(id); at != steps_.end()) quantise(id, at->second);
    }
  }

 private:
  std::string named(const std::string& wanted) { return graph_.unused_name(wanted); }

  void quantise(ValueId id, const Steps& steps) {
    const std::string name = graph_.value(id).name;
    const ValueId scale = graph_.add_constant(named(name + "_scale"), Tensor::of<float>({}, {steps.scale}));
    const ValueId zero =
        graph_.add_constant(named(name + "_zero_point"), Tensor::of<uint8_t>({}, {static_cast<uint8_t>(steps.zero)}));
    const ValueId bytes = graph_.add(named(name + "_QuantizeLinear"), std::make_shared<Quantise>(), {id, scale, zero});
    rounded_[id] = graph_.add(named(name + "_DequantizeLinear"), std::make_shared<Dequantise>(), {bytes, scale, zero});
  }

  /// `x`: what the layer read before.
  void quantise_weights(Node& node, ValueId x) {
    const auto* dense = dynamic_cast<const Gemm*>(node.op.get());
    const int64_t axis = dense && dense->transpose_b == Transpose2d::no ? 1 : 0;
    const std::string name = graph_.value(node.inputs[1]).name;
    const std::shared_ptr<Tensor> w = graph_.value(node.inputs[1]).constant;
    const int64_t outputs = w->shape()[static_cast<size_t>(axis)];
    Tensor bias = bias_of(node, outputs);
    // A bias counts in steps of the input's scale times the weights'. Channels that hardly weigh anything get a scale
    // in which their bias fits 32 bits with room.
    std::vector<float> least(static_cast<size_t>(outputs));
    for (size_t n = 0; n < least.size(); ++n)
      least[n] = std::fabs(bias.data<float>()[n]) / (steps_.at(x).scale * 0x1p30f);
    RoundedWeights rounded = rounded_weights(*w, axis, least);
    if (const auto mean = means_.find(x); mean != means_.end())
      correct_bias(*w, rounded.floats, axis, mean->second, bias);
    const auto dequantise = [&](const std::string& what, Tensor numbers, Tensor scales, int64_t along) {
      auto op = std::make_shared<Dequantise>();
      op->axis = along;
      // ONNX Runtime wants a zero point beside each scale.
      Tensor zeros = Tensor::zeros(numbers.dtype(), scales.shape());
      const ValueId values = graph_.add_constant(named(what + "_quantized"), std::move(numbers)),
                    scale = graph_.add_constant(named(what + "_scale"), std::move(scales)),
                    zero = graph_.add_constant(named(what + "_zero_point"), std::move(zeros));
      return graph_.add(named(what + "_DequantizeLinear"), op, {values, scale, zero});
    };
    Tensor whole(DType::i32, {outputs}), bias_scales(DType::f32, {outputs});
    for (size_t n = 0; n < static_cast<size_t>(outputs); ++n) {
      const float scale = steps_.at(x).scale * rounded.scales.data<float>()[n];
      bias_scales.data<float>()[n] = scale;
      const double steps = std::nearbyint(static_cast<double>(bias.data<float>()[n]) / static_cast<double>(scale));
      whole.data<int32_t>()[n] = static_cast<int32_t>(std::clamp(steps, -2147483647.0, 2147483647.0));
    }
    node.inputs.resize(std::max<size_t>(node.inputs.size(), 3), kNoValue);
    node.inputs[1] = dequantise(name, std::move(rounded.numbers), std::move(rounded.scales), axis);
    node.inputs[2] = dequantise(name + "_bias", std::move(whole), std::move(bias_scales), 0);
  }

  Tensor bias_of(const Node& node, int64_t outputs) const {
    Tensor bias = Tensor::zeros(DType::f32, {outputs});
    if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
      const auto given = graph_.value(node.inputs[2]).constant->data<float>();
      for (size_t n = 0; n < static_cast<size_t>(outputs); ++n)
        bias.data<float>()[n] = given[given.size() == 1 ? 0 : n];
    }
    return bias;
  }

  /// bias += Σ over what an output reads of (w - rounded)·mean.
  static void correct_bias(const Tensor& w, const Tensor& rounded, int64_t axis, const std::vector<float>& mean,
                           Tensor& bias) {
    const Shape& shape = w.shape();
    const int64_t outputs = shape[static_cast<size_t>(axis)], inputs = shape[static_cast<size_t>(1 - axis)],
                  taps = w.elements() / (outputs * inputs);
    if (static_cast<int64_t>(mean.size()) != inputs) return;
    const auto exact = w.data<float>(), made = rounded.data<float>();
    for (int64_t n = 0; n < outputs; ++n) {
      double sum = 0;
      for (int64_t c = 0; c < inputs; ++c)
        for (int64_t t = 0; t < taps; ++t) {
          const int64_t at = axis == 0 ? (n * inputs + c) * taps + t : c * outputs + n;
          sum += static_cast<double>(exact[static_cast<size_t>(at)] - made[static_cast<size_t>(at)]) *
                 static_cast<double>(mean[static_cast<size_t>(c)]);
        }
      bias.data<float>()[static_cast<size_t>(n)] += static_cast<float>(sum);
    }
  }

  Graph& graph_;
  const std::map<ValueId, Steps>& steps_;
  const std::map<ValueId, std::vector<float>>& means_;
  std::vector<bool> is_layer_;
  std::map<ValueId, ValueId> rounded_;  // of a quantised value: what readers get
};

}  // namespace

bool keeps_steps(const Operator& op) {
  const auto* pool = dynamic_cast<const MaxPool*>(&op);
  return (pool && !pool->keep_positions) || dynamic_cast<const Concat*>(&op) || op.is_reshape();
}

std::vector<size_t> quantisable_layers(const Graph& graph) {
  std::vector<size_t> layers;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (const auto* convolution = dynamic_cast<const Convolution*>(node.op.get())) {
      if (convolution->groups == 1 && has_known_weights(graph, node, graph.value(node.inputs[1]).shape[0]))
        layers.push_back(i);
    } else if (const auto* dense = dynamic_cast<const Gemm*>(node.op.get())) {
      const Shape& w = graph.value(node.inputs[1]).shape;
      if (dense->transpose_a == Transpose2d::no && dense->alpha == 1 && dense->beta == 1 && w.rank() == 2 &&
          has_known_weights(graph, node, w[dense->transpose_b == Transpose2d::yes ? 0 : 1]))
        layers.push_back(i);
    }
  }
  return layers;
}

std::vector<QuantisedValue> values_to_quantise(const Graph& graph, const std::vector<size_t>& layers) {
  return Finder(graph, layers).values();
}

Steps steps_between(float low, float high) {
  low = std::min(low, 0.0f);
  high = std::max(high, 0.0f);
  if (!(high > low)) return {1.0f, 0};
  const float scale = (high - low) / 255.0f;
  return {scale, static_cast<int32_t>(std::clamp(std::nearbyint(-low / scale), 0.0f, 255.0f))};
}

void insert_quantisation(Graph& graph, const std::vector<size_t>& layers, const std::map<ValueId, Steps>& steps,
                         const std::map<ValueId, std::vector<float>>& means) {
  Inserter(graph, layers, steps, means).run();
}

}  // namespace graft
