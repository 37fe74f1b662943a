#include "runtime/core/error.h"
#include "runtime/core/evaluate_node.h"
#include "runtime/ops/expansion.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

// Folding is for shape arithmetic and small tables; a node that would blow up a constant stays a node.
constexpr int64_t kLargestFoldedElements = int64_t{1} << 22;

Shape closed(const Value& input, const OpenDims& dims) {
  if (const auto known = dims.shapes.find(input.name); known != dims.shapes.end()) return known->second;
  Shape result = input.shape;
  const size_t rows = input.dtype == DType::u8 && result.size() == 4 && result[3] == 3 ? 1 : 2;
  for (size_t i = 0; i < result.size(); ++i) {
    if (result[i] != kOpenDim) continue;
    result[i] = i == 0 ? dims.batch : i == rows ? dims.height : i == rows + 1 ? dims.width : 1;
  }
  return result;
}

/// True when everything that the node reads is known and may not change.
bool is_foldable(const Graph& graph, const Node& node, const std::vector<ValueType>& outputs) {
  for (const ValueType& type : outputs)
    if (type.shape.elements() > kLargestFoldedElements) return false;
  if (node.inputs.empty()) return false;
  for (ValueId id : node.inputs)
    if (id != kNoValue && (!graph.value(id).constant || graph.value(id).trainable)) return false;
  return true;
}

/// What the node makes, where that is known now; empty otherwise.
std::vector<Tensor> known_results(const Graph& graph, const Node& node, const std::vector<ValueType>& outputs,
                                  const Backend& backend) {
  const std::vector<ValueType> inputs = input_types(graph, node);
  std::vector<Tensor> results = node.op->results_from_types(inputs);
  if (results.empty() && is_foldable(graph, node, outputs)) results = evaluate_node(*node.op, inputs, outputs, backend);
  return results;
}

/// Types the node's outputs, and appends it, or what it stands for, unless its results are known.
void append_specialised(Graph& graph, const Node& node, const Backend& backend) {
  const auto types = node.op->infer(input_types(graph, node));
  if (types.size() < node.outputs.size())
    throw Error("has " + std::to_string(node.outputs.size()) + " outputs where " + std::to_string(types.size()) +
                " are known");
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    graph.value(node.outputs[i]).dtype = types[i].dtype;
    graph.value(node.outputs[i]).shape = types[i].shape;
  }
  if (node.op->is_composite()) {
    for (const Node& part : expand(graph, node)) append_specialised(graph, part, backend);
    return;
  }
  Node resolved = node;
  if (OperatorPtr form = node.op->resolved(input_types(graph, node))) resolved.op = form;
  std::vector<Tensor> known = known_results(graph, resolved, types, backend);
  if (known.empty()) {
    graph.nodes.push_back(std::move(resolved));
    return;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i)
    graph.value(node.outputs[i]).constant = std::make_shared<Tensor>(std::move(known[i]));
}

}  // namespace

Graph specialise(const Graph& graph, const OpenDims& dims, const Backend& backend) {
  Graph result = graph;
  result.nodes.clear();
  for (ValueId id : graph.inputs) result.value(id).shape = closed(graph.value(id), dims);
  for (const Node& node : graph.nodes)
    with_place([&] { return describe(node); }, [&] { append_specialised(result, node, backend); });
  return result;
}

void retype(Graph& graph, const OpenDims& dims, const Backend& backend) {
  OpenDims one = dims;
  one.batch = 1;
  const Graph typed = specialise(graph, one, backend);
  const auto producer = graph.producers();
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (producer[i] < 0) continue;
    graph.value(id).dtype = typed.value(id).dtype;
    graph.value(id).shape = typed.value(id).shape;
  }
  for (ValueId id : graph.inputs) {
    const bool open_batch = !graph.value(id).shape.empty() && graph.value(id).shape[0] == kOpenDim;
    graph.value(id).shape = typed.value(id).shape;
    if (open_batch) graph.value(id).shape[0] = kOpenDim;
  }
}

}  // namespace graft
