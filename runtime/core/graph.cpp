#include "runtime/core/graph.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/core/users.h"

namespace graft {

void Operator::differentiate(GradientBuilder&) const {
  throw Error("operator " + std::string(type()) + " has no gradient",
              "freeze the layers up to and including this node (" + mention("freeze") + " until:NODE)",
              ErrorCode::unsupported);
}

std::string describe(const Node& node) { return "node \"" + node.name + "\" (" + std::string(node.op->type()) + ")"; }

ValueId Graph::add_value(Value value) {
  if (value.name.empty()) value.name = "value";
  if (by_name_.contains(value.name)) {
    int& suffix = suffixes_[value.name] = free_suffix(value.name);
    value.name += "_" + std::to_string(suffix++);
  }
  const auto id = static_cast<ValueId>(values_.size());
  by_name_[value.name] = id;
  values_.push_back(std::move(value));
  return id;
}

ValueId Graph::add_input(std::string name, DType dtype, Shape shape) {
  const ValueId id = add_value({std::move(name), dtype, std::move(shape), nullptr, false});
  inputs.push_back(id);
  return id;
}

ValueId Graph::add_constant(std::string name, Tensor tensor) {
  return add_constant(std::move(name), std::make_shared<Tensor>(std::move(tensor)));
}

ValueId Graph::add_constant(std::string name, std::shared_ptr<Tensor> tensor) {
  const DType dtype = tensor->dtype();
  Shape shape = tensor->shape();
  return add_value({std::move(name), dtype, std::move(shape), std::move(tensor), false});
}

Graph Graph::independent_copy() const {
  Graph copy = *this;
  for (Value& value : copy.values_)
    if (value.constant) value.constant = std::make_shared<Tensor>(value.constant->clone());
  return copy;
}

ValueType Graph::type_of(ValueId id) const {
  if (id == kNoValue) return {};
  const Value& v = value(id);
  return {v.dtype, v.shape, v.constant.get()};
}

std::vector<ValueType> input_types(const Graph& graph, const Node& node) {
  std::vector<ValueType> types;
  for (ValueId id : node.inputs) types.push_back(graph.type_of(id));
  return types;
}

std::vector<ValueId> Graph::add_node(std::string name, OperatorPtr op, std::vector<ValueId> node_inputs,
                                     std::vector<std::string> output_names) {
  Node node{std::move(name), std::move(op), std::move(node_inputs), {}};
  const auto types =
      with_place([&] { return describe(node); }, [&] { return node.op->infer(input_types(*this, node)); });
  for (size_t i = 0; i < types.size(); ++i) {
    std::string output = i < output_names.size() && !output_names[i].empty()
                             ? output_names[i]
                             : node.name + (i == 0 ? "" : ":" + std::to_string(i));
    node.outputs.push_back(add_value({std::move(output), types[i].dtype, types[i].shape, nullptr, false}));
  }
  nodes.push_back(std::move(node));
  return nodes.back().outputs;
}

void Graph::append_node(std::string name, OperatorPtr op, std::vector<ValueId> node_inputs,
                        const std::vector<std::string>& output_names) {
  Node node{std::move(name), std::move(op), std::move(node_inputs), {}};
  for (const std::string& output : output_names)
    node.outputs.push_back(add_value({output, DType::f32, {}, nullptr, false}));
  nodes.push_back(std::move(node));
}

ValueId Graph::add(std::string name, OperatorPtr op, std::vector<ValueId> node_inputs) {
  return add_node(std::move(name), std::move(op), std::move(node_inputs)).front();
}

ValueId Graph::find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? kNoValue : it->second;
}

std::string Graph::unused_name(const std::string& wanted) const {
  if (!by_name_.contains(wanted)) return wanted;
  return wanted + "_" + std::to_string(free_suffix(wanted));
}

int Graph::free_suffix(const std::string& wanted) const {
  const auto known = suffixes_.find(wanted);
  int i = known == suffixes_.end() ? 2 : known->second;
  while (by_name_.contains(wanted + "_" + std::to_string(i))) ++i;
  return i;
}

std::vector<int> Graph::producers() const {
  std::vector<int> producer(values_.size(), -1);
  for (size_t n = 0; n < nodes.size(); ++n)
    for (ValueId id : nodes[n].outputs) producer[static_cast<size_t>(id)] = static_cast<int>(n);
  return producer;
}

std::vector<std::vector<int>> Graph::consumers() const {
  std::vector<std::vector<int>> readers(values_.size());
  for (size_t n = 0; n < nodes.size(); ++n)
    for (ValueId id : nodes[n].inputs)
      if (id != kNoValue) readers[static_cast<size_t>(id)].push_back(static_cast<int>(n));
  return readers;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  for (Node& node : nodes) std::replace(node.inputs.begin(), node.inputs.end(), from, to);
  std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::replace_uses(const std::map<ValueId, ValueId>& pairs) {
  if (pairs.empty()) return;
  const auto replace = [&](ValueId& id) {
    for (auto at = pairs.find(id); at != pairs.end(); at = pairs.find(id)) id = at->second;
  };
  for (Node& node : nodes) std::for_each(node.inputs.begin(), node.inputs.end(), replace);
  std::for_each(outputs.begin(), outputs.end(), replace);
}

std::vector<bool> weight_like_values(const Graph& graph) {
  std::vector<bool> weight_like(graph.value_count(), false);
  const std::vector<bool> follows_input = values_following_inputs(graph);
  const auto is_picture_operator = [](const Node& node) {
    return node.op->layout() == Operator::Layout::channels_last;
  };
  for (const Node& node : graph.nodes) {
    bool any = false, all = node.op->is_element_wise();
    for (ValueId id : node.inputs) {
      if (id == kNoValue || graph.value(id).constant) continue;
      any = any || weight_like[static_cast<size_t>(id)];
      all = all && weight_like[static_cast<size_t>(id)];
    }
    for (ValueId id : node.outputs) {
      const bool of_constants = !follows_input[static_cast<size_t>(id)] && !is_picture_operator(node);
      weight_like[static_cast<size_t>(id)] = node.op->output_is_weight_like() || (any && all) || of_constants;
    }
  }
  // What a picture operator reads first is a picture, be it made of constants.
  for (const Node& node : graph.nodes) {
    const ValueId picture = is_picture_operator(node) && !node.inputs.empty() ? node.inputs[0] : kNoValue;
    if (picture != kNoValue && !follows_input[static_cast<size_t>(picture)])
      weight_like[static_cast<size_t>(picture)] = false;
  }
  return weight_like;
}

}  // namespace graft
