#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/users.h"
#include "runtime/ops/gradient.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

/// Gives nodes on the way of a gradient the form that keeps what it needs.
void keep_what_gradients_need(Graph& graph, const std::vector<bool>& needs) {
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : nodes) {
    const bool on_the_way = std::any_of(node.inputs.begin(), node.inputs.end(),
                                        [&](ValueId id) { return id != kNoValue && needs[static_cast<size_t>(id)]; });
    const OperatorPtr form = on_the_way ? node.op->training_form() : nullptr;
    if (!form) {
      graph.nodes.push_back(std::move(node));
      continue;
    }
    graph.add_node(node.name, form, node.inputs);
    for (size_t i = 0; i < node.outputs.size(); ++i) graph.nodes.back().outputs[i] = node.outputs[i];
  }
}

}  // namespace

Gradients differentiate(Graph& graph, const std::vector<ValueId>& outputs, const std::vector<ValueId>& wanted) {
  keep_what_gradients_need(graph, values_following(graph, wanted));

  Gradients result;
  const size_t forward_end = graph.nodes.size();
  graph.backward_begin = forward_end;
  for (ValueId output : outputs) {
    const Value& y = graph.value(output);
    const std::string name = y.name + ":grad";
    const DType dtype = y.dtype;
    const Shape shape = y.shape;  // adding a value moves the others
    result.seeds.push_back(graph.add_input(name, dtype, shape));
  }
  GradientState state{
      std::vector<ValueId>(graph.value_count(), kNoValue), values_following(graph, wanted), graph.producers(), {}};
  std::vector<ValueId>& grad_of = state.grad_of;
  for (size_t i = 0; i < outputs.size(); ++i) grad_of[static_cast<size_t>(outputs[i])] = result.seeds[i];

  // Nothing flows back through whole numbers and truth values, that is, through comparisons.
  const auto takes_gradient = [&](ValueId id) {
    const DType dtype = graph.value(id).dtype;
    const bool is_real = dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
    return is_real && grad_of[static_cast<size_t>(id)] != kNoValue;
  };
  for (size_t i = forward_end; i-- > 0;) {
    const Node node = graph.nodes[i];
    bool has_gradient = false, wanted_here = false;
    for (ValueId id : node.outputs) has_gradient = has_gradient || takes_gradient(id);
    for (ValueId id : node.inputs)
      wanted_here = wanted_here || (id != kNoValue && state.needs[static_cast<size_t>(id)]);
    if (!has_gradient || !wanted_here) continue;
    with_place([&] { return describe(node); },
               [&] {
                 GradientBuilder builder(graph, node, state);
                 node.op->differentiate(builder);
               });
    grad_of.resize(graph.value_count(), kNoValue);
  }
  for (ValueId id : wanted) {
    const ValueId gradient = grad_of[static_cast<size_t>(id)];
    result.of.emplace_back(id, gradient);
    if (gradient != kNoValue) graph.outputs.push_back(gradient);
  }
  return result;
}

}  // namespace graft
