#include "finetune/heads/head.h"

#include <algorithm>

#include "finetune/heads/ending.h"
#include "finetune/heads/head_builder.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// Makes N×D of whatever the model ends in.
ValueId as_features(Graph& graph, ValueId at) {
  const Shape& x = graph.value(at).shape;
  if (x.rank() == 4 && (x[2] > 1 || x[3] > 1)) {
    auto pool = std::make_shared<Reduce>();
    pool->global_pool = true;
    at = graph.add("head_pool", pool, {at});
  }
  if (graph.value(at).shape.rank() != 2) at = graph.add("head_flatten", std::make_shared<Flatten>(), {at});
  return at;
}

/// Where the new head of an output goes on, and the nodes it replaces (none where the model ends in features).
std::pair<ValueId, std::vector<std::string>> find_features(Graph& graph, ValueId output) {
  const Shape& y = graph.value(output).shape;
  if (graph.value(output).dtype != DType::f32 || y.rank() < 2) {
    throw Error("output \"" + graph.value(output).name + "\" is " + y.str() + ", neither scores nor features", {},
                ErrorCode::unsupported);
  }
  const Ending ending = find_ending(graph, output);
  if (ending.classifiers.empty()) return {as_features(graph, output), {}};
  // For a 1×1 convolution: linear maps then an average equal an average then a linear map, so the new head is a dense
  // layer on averaged features, and one vector a picture can be cached instead of maps. A ReLU between them goes with
  // the old one.
  std::vector<ValueId> parts;
  std::vector<std::string> names;
  for (const Ending::Classifier& old : ending.classifiers) {
    names.push_back(old.name);
    ValueId at = old.features;
    for (size_t i : ending.selections) {
      const Node selection = graph.nodes[i];
      std::vector<ValueId> inputs = selection.inputs;
      inputs[0] = at;
      at = graph.add(graph.unused_name("head_" + selection.name), selection.op, inputs);
    }
    at = as_features(graph, at);
    if (std::find(parts.begin(), parts.end(), at) == parts.end()) parts.push_back(at);
  }
  if (parts.size() == 1) return {parts[0], names};
  auto side_by_side = std::make_shared<Concat>();
  side_by_side->axis = 1;
  return {graph.add(graph.unused_name("head_features"), side_by_side, parts), names};
}

/// The value of this name, or the first output of the node.
ValueId value_named(const Graph& graph, const std::string& name) {
  ValueId id = graph.find(name);
  for (size_t i = 0; i < graph.nodes.size() && id == kNoValue; ++i)
    if (graph.nodes[i].name == name) id = graph.nodes[i].outputs[0];
  return id;
}

std::pair<ValueId, std::vector<std::string>> named_features(Graph& graph, const std::string& name, ValueId id) {
  const bool is_made = id != kNoValue && graph.producers()[static_cast<size_t>(id)] >= 0;
  if (!is_made || graph.value(id).dtype != DType::f32 || graph.value(id).shape.rank() < 2)
    throw Error("\"" + name + "\" is no layer whose numbers a head could read", "graft inspect MODEL lists the layers",
                ErrorCode::not_found)
        .about("features");
  return {as_features(graph, id), {}};
}

/// What the last dense layers read: where a classifier was not recognised, one of them is it.
std::vector<std::string> dense_inputs(const Graph& graph) {
  constexpr size_t kMost = 3;
  std::vector<std::string> names;
  for (size_t i = graph.nodes.size(); i-- > 0 && names.size() < kMost;) {
    const Node& node = graph.nodes[i];
    if (node.op->type() == "Gemm" && !graph.value(node.inputs[0]).constant &&
        std::find(names.begin(), names.end(), graph.value(node.inputs[0]).name) == names.end())
      names.push_back(graph.value(node.inputs[0]).name);
  }
  return names;
}

void prepare(Graph& graph) {
  if (graph.outputs.empty()) throw Error("the model has no output");
  canonicalise_dense(graph);
}

}  // namespace

GraftedHead graft_head(Graph& graph, const HeadRequest& request) {
  const ValueId named = value_named(graph, request.features);  // before nodes join others
  prepare(graph);
  const std::vector<ValueId> old = graph.outputs;
  const Shape scores = graph.value(old[0]).shape;
  std::vector<std::string> others;
  if (request.features.empty()) others = dense_inputs(graph);
  const auto [features, replaced] =
      request.features.empty() ? find_features(graph, old[0]) : named_features(graph, request.features, named);
  GraftedHead head{replaced, {}, graph.value(features).shape[1], {}};
  if (replaced.empty()) head.other_features = std::move(others);
  const HeadPtr kind = make_head(request.head);
  const auto appended = [&](const std::string& name, uint64_t seed, ValueId from) {
    HeadBuilder builder(graph, name, request.classes, seed, head.parameters);
    return kind->append(builder, from);
  };
  graph.outputs = {appended("head", request.seed, features)};
  for (size_t i = 1; i < old.size() && request.auxiliary; ++i) {
    const Value& value = graph.value(old[i]);
    if (value.dtype != DType::f32 || value.shape != scores) continue;
    const auto [inner, classifier] = find_features(graph, old[i]);
    graph.outputs.push_back(appended("auxiliary" + std::to_string(i) + ".head", mix(request.seed, i), inner));
  }
  remove_dead_code(graph);
  return head;
}

void cut_head(Graph& graph) {
  prepare(graph);
  const auto [features, replaced] = find_features(graph, graph.outputs[0]);
  graph.outputs = {features};
  remove_dead_code(graph);
}

}  // namespace graft
