#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/evaluate_node.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/loop.h"
#include "runtime/ops/reshape.h"
#include "runtime/passes/open_shapes.h"
#include "runtime/passes/passes.h"
#include "runtime/passes/unroll_loop.h"

namespace graft {
namespace {

// Folding is for shape arithmetic and small tables; a node that would blow up a constant stays a node.
constexpr int64_t kLargestFoldedElements = int64_t{1} << 22;
// So do many that would together; what shape arithmetic needs is always folded.
constexpr int64_t kMostFoldedElements = int64_t{1} << 26, kShapeElements = 4096;
// What all loops of a graph may become.
constexpr size_t kMostUnrolled = 100000;

Shape closed(const Value& input, const OpenDims& dims) {
  if (const auto known = dims.shapes.find(input.name); known != dims.shapes.end()) return known->second;
  Shape result = input.shape;
  const size_t rows = first_image_dimension(input);
  for (size_t i = 0; i < result.size(); ++i) {
    if (result[i] != kOpenDim) continue;
    result[i] = i == 0 ? dims.batch : i == rows ? dims.height : i == rows + 1 ? dims.width : 1;
  }
  return result;
}

/// True when everything that the node reads is known and may not change. `folded` counts the elements of all results.
bool is_foldable(const Graph& graph, const Node& node, const std::vector<ValueType>& outputs, int64_t& folded) {
  int64_t given = 0, elements = 0;
  for (ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    if (!graph.value(id).constant || graph.value(id).trainable) return false;
    given = std::max(given, graph.value(id).constant->elements());
  }
  if (node.inputs.empty()) return false;
  for (const ValueType& type : outputs) elements += type.shape.elements();
  // What makes no more numbers than it is given (weights that are dequantised) blows nothing up.
  if (elements > given) {
    if (elements > kLargestFoldedElements) return false;
    if (elements > kShapeElements && folded + elements > kMostFoldedElements) return false;
    folded += elements;
  }
  return true;
}

/// What the node makes, where that is known now; empty otherwise.
std::vector<Tensor> known_results(const Graph& graph, const Node& node, const std::vector<ValueType>& outputs,
                                  const Backend& backend, int64_t& folded) {
  const std::vector<ValueType> inputs = input_types(graph, node);
  std::vector<Tensor> results = node.op->results_from_types(inputs);
  if (results.empty() && is_foldable(graph, node, outputs, folded))
    results = evaluate_node(*node.op, inputs, outputs, backend);
  return results;
}

/// Types the node's outputs, and appends it, or what it stands for, unless its results are known.
void append_specialised(Graph& graph, const Node& node, const Backend& backend, int64_t& folded) {
  const auto types = node.op->infer(input_types(graph, node));
  if (types.size() < node.outputs.size())
    throw Error("has " + std::to_string(node.outputs.size()) + " outputs where " + std::to_string(types.size()) +
                " are known");
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    graph.value(node.outputs[i]).dtype = types[i].dtype;
    graph.value(node.outputs[i]).shape = types[i].shape;
  }
  if (node.op->is_composite()) {
    for (const Node& part : expand(graph, node)) append_specialised(graph, part, backend, folded);
    return;
  }
  Node resolved = node;
  if (OperatorPtr form = node.op->resolved(input_types(graph, node))) resolved.op = form;
  std::vector<Tensor> known = known_results(graph, resolved, types, backend, folded);
  if (known.empty()) {
    graph.nodes.push_back(std::move(resolved));
    return;
  }
  for (size_t i = 0; i < node.outputs.size(); ++i)
    graph.value(node.outputs[i]).constant = std::make_shared<Tensor>(std::move(known[i]));
}

bool is_control_flow(const Node& node) {
  return node.op->chooses_inputs() || dynamic_cast<const Loop*>(node.op.get()) != nullptr;
}

/// Appends nodes of a graph in which some operators choose between their inputs, or repeat a graph of their own. A
/// branch that is not taken need not fit these extents: the first error of what makes a value is kept, and counts once
/// the value is needed.
class ControlFlow {
 public:
  ControlFlow(Graph& result, const Backend& backend, ControlFlowTrace& trace)
      : result_(result), backend_(backend), trace_(trace) {}

  void append(const Node& node) {
    const size_t before = result_.nodes.size(), traced = trace_.nodes.size();
    try {
      with_place([&] { return describe(node); },
                 [&] {
                   if (node.op->chooses_inputs()) return append_chosen(node);
                   if (dynamic_cast<const Loop*>(node.op.get())) return append_unrolled(node);
                   for (ValueId id : node.inputs) require(id);
                   append_specialised(result_, node, backend_, folded_);
                   trace_.nodes.push_back(node);
                 });
    } catch (const Error& error) {
      result_.nodes.erase(result_.nodes.begin() + static_cast<std::ptrdiff_t>(before), result_.nodes.end());
      trace_.nodes.erase(trace_.nodes.begin() + static_cast<std::ptrdiff_t>(traced), trace_.nodes.end());
      const auto inherited =
          std::find_if(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return failed_.contains(id); });
      const Error& first = inherited == node.inputs.end() || is_control_flow(node) ? error : failed_.at(*inherited);
      for (ValueId id : node.outputs) failed_.emplace(id, first);
    }
  }

  /// Throws the Error for which a value could not be made.
  void require(ValueId id) const {
    if (const auto it = failed_.find(id); it != failed_.end()) throw it->second;
  }

 private:
  void append_chosen(const Node& node) {
    require(node.inputs[0]);
    const std::vector<size_t> chosen = node.op->chosen_inputs(input_types(result_, node));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId from = node.inputs[chosen.at(i)];
      if (const auto it = failed_.find(from); it != failed_.end()) {
        failed_.emplace(node.outputs[i], it->second);
        continue;
      }
      Node passed_on{node.name, std::make_shared<Identity>(), {from}, {node.outputs[i]}};
      append_specialised(result_, passed_on, backend_, folded_);
      trace_.nodes.push_back(std::move(passed_on));
    }
  }

  void append_unrolled(const Node& node) {
    const auto content = [this](ValueId id) {
      require(id);
      return static_cast<const Tensor*>(result_.value(id).constant.get());
    };
    const auto append_part = [this](const Node& part) {
      ++trace_.unrolled;
      append(part);
    };
    const auto begin_iteration = [this] {
      if (++trace_.unrolled > kMostUnrolled)
        throw Error("makes more than " + std::to_string(kMostUnrolled) + " nodes when it is unrolled",
                    "the file is damaged, or the loop is endless");
    };
    unroll_loop(node, {result_, append_part, content, begin_iteration});
  }

  Graph& result_;
  const Backend& backend_;
  ControlFlowTrace& trace_;
  int64_t folded_ = 0;
  std::map<ValueId, Error> failed_;
};

}  // namespace

Graph specialise(const Graph& graph, const OpenDims& dims, const Backend& backend, ControlFlowTrace* trace) {
  Graph result = graph;
  result.nodes.clear();
  for (ValueId id : graph.inputs) result.value(id).shape = closed(graph.value(id), dims);
  if (has_control_flow(graph)) {
    ControlFlowTrace untold;
    ControlFlow flow(result, backend, trace ? *trace : untold);
    for (const Node& node : graph.nodes) flow.append(node);
    for (ValueId id : graph.outputs) flow.require(id);
    return result;
  }
  int64_t folded = 0;
  for (const Node& node : graph.nodes)
    with_place([&] { return describe(node); }, [&] { append_specialised(result, node, backend, folded); });
  return result;
}

bool has_control_flow(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), is_control_flow);
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
