#include <map>
#include <vector>

#include "runtime/core/backend.h"
#include "runtime/ops/movement.h"
#include "runtime/passes/passes.h"

namespace graft {
namespace {

class Lowering {
 public:
  Lowering(Graph& graph, const Backend& backend)
      : graph_(graph),
        backend_(backend),
        half_(backend.activations()),
        weight_like_(weight_like_values(graph)),
        stays_float_(graph.value_count(), false) {
    if (backend.outputs_stay_float()) keep_outputs();
  }

  void run() {
    std::vector<Node> old = std::move(graph_.nodes);
    graph_.nodes.clear();
    const size_t backward = graph_.backward_begin;
    for (size_t i = 0; i < old.size(); ++i) {
      if (i == backward) {
        widen_outputs();
        graph_.backward_begin = graph_.nodes.size();
      }
      lower(std::move(old[i]));
    }
    widen_outputs();
    if (backward != SIZE_MAX && backward >= old.size()) graph_.backward_begin = graph_.nodes.size();
  }

 private:
  /// What leaves the graph is float. Of the outputs, those that are halves by now: a pass casts its own.
  void widen_outputs() {
    for (ValueId& id : graph_.outputs)
      if (graph_.value(id).dtype == half_) id = as(id, DType::f32);
  }

  /// Marks what leaves the graph, and what that is another shape of.
  void keep_outputs() {
    for (ValueId id : graph_.outputs) stays_float_[static_cast<size_t>(id)] = true;
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node)
      if (node->op->is_reshape() && stays_float_[static_cast<size_t>(node->outputs[0])])
        stays_float_[static_cast<size_t>(node->inputs[0])] = true;
  }

  void lower(Node node) {
    // Sums of a weight's gradients stay as exact as what they add up.
    const bool sums_weights = node.op->is_element_wise() && !node.outputs.empty() && is_weight_like(node.outputs[0]);
    const bool keeps_float = node.op->is_reshape() && stays_float_[static_cast<size_t>(node.outputs[0])];
    const HalfOperands halves = sums_weights || keeps_float ? HalfOperands() : backend_.half_operands(*node.op);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      ValueId& id = node.inputs[i];
      if (id == kNoValue) continue;
      const DType dtype = graph_.value(id).dtype;
      if (dtype != DType::f32 && dtype != half_) continue;
      id = as(id, halves.inputs.contains(i) ? half_ : DType::f32);
    }
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      Value& v = graph_.value(node.outputs[o]);
      if (v.dtype != DType::f32 || !halves.outputs.contains(o)) continue;
      if (!stays_float_[static_cast<size_t>(node.outputs[o])]) v.dtype = half_;
    }
    graph_.nodes.push_back(std::move(node));
  }

  /// The value in this type: itself, a converted constant, or what a Cast makes of it, once.
  ValueId as(ValueId id, DType dtype) {
    if (graph_.value(id).dtype == dtype) return id;
    const auto [at, is_new] = made_.try_emplace({id, dtype}, kNoValue);
    if (!is_new) return at->second;
    const std::string name = graph_.unused_name(graph_.value(id).name + ":" + name_of(dtype));
    const Value& v = graph_.value(id);
    ValueId made = kNoValue;
    if (v.constant && !v.trainable) {
      made = graph_.add_constant(name, cast(*v.constant, dtype));
    } else {
      auto op = std::make_shared<Cast>();
      op->to = dtype;
      op->weight_like = v.constant || is_weight_like(id);
      made = graph_.add(name, op, {id});
    }
    return made_[{id, dtype}] = made;
  }

  bool is_weight_like(ValueId id) const {
    return static_cast<size_t>(id) < weight_like_.size() && weight_like_[static_cast<size_t>(id)];
  }

  Graph& graph_;
  const Backend& backend_;
  DType half_;
  std::map<std::pair<ValueId, DType>, ValueId> made_;
  std::vector<bool> weight_like_, stays_float_;  // per value of the graph before
};

}  // namespace

void lower_precision(Graph& graph, const Backend& backend) { Lowering(graph, backend).run(); }

}  // namespace graft
