#include "finetune/heads/join_layers.h"

#include <algorithm>
#include <memory>
#include <set>

#include "runtime/core/error.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"

namespace graft {
namespace {

/// Index of the node that multiplies with the head's weight; -1 where there is none.
int head_node(const Graph& graph, const std::vector<std::string>& head) {
  const ValueId weight = graph.find(head.at(0));
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto& inputs = graph.nodes[n].inputs;
    if (inputs.size() >= 2 && inputs[1] == weight) return static_cast<int>(n);
  }
  return -1;
}

/// Values of the way from the inputs to `end` through which everything goes: behind each of them nothing that comes
/// before is read any more.
std::vector<ValueId> passed_by_all(const Graph& graph, ValueId end) {
  const auto producers = graph.producers();
  std::vector<bool> wanted(graph.nodes.size(), false);
  std::vector<ValueId> open{end};
  while (!open.empty()) {
    const int producer = producers[static_cast<size_t>(open.back())];
    open.pop_back();
    if (producer < 0 || wanted[static_cast<size_t>(producer)]) continue;
    wanted[static_cast<size_t>(producer)] = true;
    for (const ValueId id : graph.nodes[static_cast<size_t>(producer)].inputs)
      if (id != kNoValue) open.push_back(id);
  }
  std::vector<int> reads(graph.value_count(), 0);  // that are still to come
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    if (wanted[n])
      for (const ValueId id : graph.nodes[n].inputs)
        if (id != kNoValue && !graph.value(id).constant) ++reads[static_cast<size_t>(id)];
  std::set<ValueId> live(graph.inputs.begin(), graph.inputs.end());
  std::vector<ValueId> passed;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!wanted[n]) continue;
    const Node& node = graph.nodes[n];
    for (const ValueId id : node.inputs)
      if (id != kNoValue && !graph.value(id).constant && --reads[static_cast<size_t>(id)] == 0) live.erase(id);
    for (const ValueId id : node.outputs)
      if (reads[static_cast<size_t>(id)] > 0) live.insert(id);
    if (live.size() == 1 && node.outputs.size() == 1 && live.contains(node.outputs[0]))
      passed.push_back(node.outputs[0]);
  }
  return passed;
}

}  // namespace

std::vector<ValueId> layers_to_join(const Graph& graph, const std::vector<std::string>& head) {
  const int last = head_node(graph, head);
  if (last < 0) return {};
  const ValueId features = graph.nodes[static_cast<size_t>(last)].inputs[0];
  if (graph.value(features).shape.rank() != 2) return {};
  const auto consumers = graph.consumers();
  const auto read_by_convolution = [&](ValueId id) {
    const auto& readers = consumers[static_cast<size_t>(id)];
    return std::any_of(readers.begin(), readers.end(), [&](int reader) {
      const Node& node = graph.nodes[static_cast<size_t>(reader)];
      return dynamic_cast<const Convolution*>(node.op.get()) && node.inputs[0] == id;
    });
  };
  std::vector<ValueId> passed = passed_by_all(graph, features), joined;
  std::reverse(passed.begin(), passed.end());
  int64_t pixels = 0;  // of the last map
  for (const ValueId id : passed) {
    const Shape& shape = graph.value(id).shape;
    if (shape.rank() != 4 || shape[1] < 1 || shape[2] * shape[3] <= 1) continue;
    const int64_t size = shape[2] * shape[3];
    if (pixels == 0) pixels = size;
    if (!read_by_convolution(id)) continue;
    if (joined.empty() && size == pixels) joined.push_back(id);
    if (size > pixels) {
      joined.push_back(id);
      break;
    }
  }
  return joined;
}

std::vector<size_t> join_layers(Graph& graph, const std::vector<std::string>& head) {
  const std::vector<ValueId> layers = layers_to_join(graph, head);
  if (layers.empty()) return {};
  const auto place = static_cast<size_t>(head_node(graph, head));
  const size_t before = graph.nodes.size();
  std::vector<ValueId> parts{graph.nodes[place].inputs[0]};
  const auto mean = std::make_shared<Reduce>();
  mean->axes = {2, 3};
  mean->keep_dims = false;
  std::vector<size_t> widths{static_cast<size_t>(graph.value(parts[0]).shape[1])};
  int64_t added = 0;
  for (const ValueId id : layers) {
    added += graph.value(id).shape[1];
    widths.push_back(static_cast<size_t>(graph.value(id).shape[1]));
    parts.push_back(graph.add(graph.unused_name(graph.value(id).name + "/average"), mean, {id}));
  }
  const ValueId all = graph.add(graph.unused_name("joined_features"), std::make_shared<Concat>(), parts);
  std::rotate(graph.nodes.begin() + static_cast<int64_t>(place), graph.nodes.begin() + static_cast<int64_t>(before),
              graph.nodes.end());
  graph.nodes[static_cast<size_t>(head_node(graph, head))].inputs[0] = all;
  Value& weight = graph.value(graph.find(head.at(0)));
  const Shape& own = weight.constant->shape();
  const int64_t classes = own[0], width = own[1];
  auto wider = std::make_shared<Tensor>(Tensor::zeros(DType::f32, {classes, width + added}));
  for (int64_t c = 0; c < classes; ++c)
    std::copy_n(weight.constant->data<float>().begin() + c * width, width,
                wider->data<float>().begin() + c * (width + added));
  weight.shape = wider->shape();
  weight.constant = std::move(wider);
  return widths;
}

}  // namespace graft
