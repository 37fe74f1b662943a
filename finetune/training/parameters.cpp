#include "finetune/training/parameters.h"

#include <algorithm>
#include <cmath>

#include "finetune/heads/transformer_blocks.h"
#include "runtime/core/error.h"
#include "runtime/core/strided_copy.h"

namespace graft {
namespace {

/// Whether numbers stand in one line, whatever its rank: biases, scales of layers, class tokens.
bool is_vector(const Shape& shape) {
  return std::count_if(shape.begin(), shape.end(), [](int64_t extent) { return extent > 1; }) < 2;
}

/// For each trained tensor, how many layers with weights lie between it and the head (0: next to it). A transformer's
/// block is one layer [Bao et al. 2022, BEiT].
std::map<const Tensor*, int> layers_below_head(const Graph& graph) {
  std::map<const Tensor*, int> order;
  std::map<int, int> of_block;
  int layers = 0;
  const std::vector<int> blocks = transformer_blocks(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const Node& node = graph.nodes[n];
    bool trains = false, matrix = false;
    for (ValueId id : node.inputs) {
      if (id == kNoValue || !graph.value(id).trainable || !graph.value(id).constant) continue;
      trains = true;
      // What several nodes share, or a loop repeats, is one layer.
      matrix = matrix || (!node.op->is_element_wise() && !is_vector(graph.value(id).shape) &&
                          !order.contains(graph.value(id).constant.get()));
    }
    const bool is_new = blocks[n] < 0 ? matrix : trains && !of_block.contains(blocks[n]);
    layers += is_new;
    if (is_new && blocks[n] >= 0) of_block[blocks[n]] = layers;
    const int layer = blocks[n] >= 0 && trains ? of_block.at(blocks[n]) : layers;
    for (ValueId id : node.inputs)
      if (id != kNoValue && graph.value(id).trainable && graph.value(id).constant)
        order.emplace(graph.value(id).constant.get(), layer);
  }
  for (auto& [tensor, layer] : order) layer = std::max(0, layers - 1 - layer);  // the last layer is the head
  return order;
}

}  // namespace

std::map<const Tensor*, std::string> constant_names(const Graph& graph) {
  std::map<const Tensor*, std::string> names;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& v = graph.value(static_cast<ValueId>(i));
    if (v.constant) names[v.constant.get()] = v.name;
  }
  return names;
}

void require_row_major_gradients(const TrainingPlan& plan) {
  for (const auto& [tensor, output] : plan.gradients) {
    const View gradient = plan.plan.output(output);
    if (!is_row_major(gradient.shape, gradient.strides))
      throw Error("the gradient of a parameter lies otherwise than the parameter", {}, ErrorCode::internal);
  }
}

std::vector<Parameter> trained_parameters(const Graph& graph, const TrainingPlan& plan,
                                          const std::map<const Tensor*, std::string>& names,
                                          const std::set<std::string>& head, const TrainOptions& options,
                                          float weight_decay) {
  require_row_major_gradients(plan);
  std::vector<Parameter> parameters;
  const auto depth = layers_below_head(graph);
  for (const auto& gradient : plan.gradients) {
    const auto& tensor = gradient.first;
    const std::string& name = names.at(tensor.get());
    const float scale =
        head.contains(name)
            ? 1.0f
            : options.rate.trunk_scale * std::pow(options.rate.layer_decay, static_cast<float>(depth.at(tensor.get())));
    const bool decays = !options.regularisation.spare_vectors || !is_vector(tensor->shape());
    parameters.push_back(
        {name, tensor, nullptr, scale, decays ? weight_decay : 0.0f, decays ? options.regularisation.l1 : 0.0f});
  }
  return parameters;
}

}  // namespace graft
