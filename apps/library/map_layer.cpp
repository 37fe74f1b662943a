#include "apps/library/map_layer.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "runtime/core/error.h"
#include "runtime/ops/softmax.h"

namespace graft {
namespace {

/// Class, distillation and register tokens that networks put in front.
constexpr int64_t kMostOtherTokens = 8;

/// Whether each value is a picture, N×C×H×W: what convolutions and pools make, and what keeps their form.
std::vector<bool> pictures(const Graph& graph) {
  static const std::set<std::string_view> kMakes{"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"},
      kOtherForm{"Transpose", "Reshape", "Flatten", "MatMul",     "Gemm",      "Squeeze", "Unsqueeze",
                 "Einsum",    "Gather",  "Softmax", "ReduceMean", "ReduceSum", "Expand"};
  std::vector<bool> is(graph.value_count(), false);
  for (const ValueId id : graph.inputs) is[static_cast<size_t>(id)] = graph.value(id).shape.rank() == 4;
  for (const Node& node : graph.nodes) {
    const std::string_view type = node.op->type();
    const bool keeps = !kOtherForm.contains(type) &&
                       std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](ValueId id) { return id != kNoValue && is[static_cast<size_t>(id)]; });
    for (const ValueId id : node.outputs)
      if (id != kNoValue && graph.value(id).shape.rank() == 4)
        is[static_cast<size_t>(id)] = keeps || kMakes.contains(type);
  }
  return is;
}

std::optional<MapLayer> as_map(const Graph& graph, ValueId id, bool is_picture) {
  const Value& value = graph.value(id);
  const Shape& s = value.shape;
  if (value.dtype != DType::f32 || value.constant) return std::nullopt;
  for (int64_t i = 0; i < s.rank(); ++i)
    if (s[i] < 1) return std::nullopt;
  if (s.rank() == 4 && s[0] == 1) {
    MapLayer map{id, MapLayer::Form::planes, s[2], s[3], s[1], 0};
    if (!is_picture) map = {id, MapLayer::Form::channels_last, s[1], s[2], s[3], 0};
    // Windows and heads of attention are no places.
    if (map.height * map.width < 4 || (!is_picture && map.height != map.width)) return std::nullopt;
    return map;
  }
  if (s.rank() == 3 && s[0] == 1) {
    const int64_t before = tokens_before_square(s[1]);
    if (before < 0) return std::nullopt;
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(s[1] - before))));
    return MapLayer{id, MapLayer::Form::tokens, side, side, s[2], before};
  }
  return std::nullopt;
}

ValueId value_named(const Graph& graph, const std::string& name) {
  if (const ValueId id = graph.find(name); id != kNoValue) return id;
  const auto node = std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const Node& n) { return n.name == name; });
  return node == graph.nodes.end() ? kNoValue : node->outputs.at(0);
}

}  // namespace

int64_t tokens_before_square(int64_t tokens) {
  for (int64_t before = 0; before <= kMostOtherTokens; ++before) {
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(tokens - before))));
    if (side >= 2 && side * side == tokens - before) return before;
  }
  return -1;
}

MapLayer find_map_layer(const Graph& graph, const std::string& name) {
  const std::vector<bool> is_picture = pictures(graph);
  if (!name.empty()) {
    const ValueId id = value_named(graph, name);
    if (id == kNoValue)
      throw Error("there is no layer \"" + name + "\"", "graft inspect lists them", ErrorCode::not_found)
          .about("layer");
    if (const auto map = as_map(graph, id, is_picture[static_cast<size_t>(id)])) return *map;
    throw Error("\"" + name + "\" is " + graph.value(id).shape.str() + ", which has no places of the picture",
                "name a layer with a height and a width, or with tokens", ErrorCode::unsupported)
        .about("layer");
  }
  std::optional<MapLayer> last;
  for (const Node& node : graph.nodes) {
    const ValueId id = node.outputs.at(0);
    if (id == kNoValue || dynamic_cast<const Softmax*>(node.op.get())) continue;
    if (const auto map = as_map(graph, id, is_picture[static_cast<size_t>(id)])) last = map;
  }
  if (!last)
    throw Error("the network has no layer with places of the picture", "graft inspect lists its layers",
                ErrorCode::unsupported);
  return *last;
}

std::vector<ValueId> attentions(const Graph& graph) {
  std::vector<ValueId> found;
  int64_t tokens = 0;
  for (const Node& node : graph.nodes) {
    if (!dynamic_cast<const Softmax*>(node.op.get())) continue;
    const Shape& s = graph.value(node.outputs[0]).shape;
    if (s.rank() < 3 || s[s.rank() - 1] != s[s.rank() - 2]) continue;  // of scores
    if (s.rank() != 4 || s[0] != 1 || tokens_before_square(s[3]) < 0 || (tokens > 0 && s[3] != tokens)) return {};
    tokens = s[3];
    found.push_back(node.outputs[0]);
  }
  return found;
}

}  // namespace graft
