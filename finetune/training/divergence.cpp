#include "finetune/training/divergence.h"

#include <algorithm>
#include <cmath>

namespace graft {
namespace {

constexpr size_t kLayersAtOnce = 16;

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

std::string described(const Node& node) { return "\"" + node.name + "\" (" + std::string(node.op->type()) + ")"; }

}  // namespace

std::string first_broken_weights(const std::vector<Parameter>& parameters) {
  for (const Parameter& p : parameters)
    if (!all_finite(p.tensor->data<float>())) return p.name;
  return {};
}

std::string reader_of(const Graph& graph, const std::string& weights) {
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.inputs)
      if (id != kNoValue && graph.value(id).constant && graph.value(id).name == weights)
        return " of layer " + described(node);
  return {};
}

std::string first_layer_not_finite(const Graph& graph, const OpenDims& dims, const Backend& backend, int threads,
                                   std::span<const float* const> inputs) {
  if (std::find(inputs.begin(), inputs.end(), nullptr) != inputs.end()) return {};
  for (size_t first = 0; first < graph.nodes.size();) {
    Graph part = graph;
    part.outputs.clear();
    std::vector<const Node*> layers;
    for (; first < graph.nodes.size() && layers.size() < kLayersAtOnce; ++first) {
      const Node& node = graph.nodes[first];
      const bool counts =
          !node.outputs.empty() && node.outputs[0] != kNoValue && graph.value(node.outputs[0]).dtype == DType::f32;
      if (!counts) continue;
      part.outputs.push_back(node.outputs[0]);
      layers.push_back(&node);
    }
    if (layers.empty()) break;
    Plan plan = compile_inference(part, dims, backend, threads);
    plan.refresh();
    for (size_t i = 0; i < inputs.size(); ++i) plan.bind_input(i, inputs[i]);
    plan.forward();
    for (size_t i = 0; i < layers.size(); ++i) {
      const View output = plan.output(i);
      const auto elements = static_cast<size_t>(output.shape.elements());
      if (output.dtype == DType::f32 && !all_finite({output.as<float>(), elements})) return described(*layers[i]);
    }
  }
  return {};
}

}  // namespace graft
