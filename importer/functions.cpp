#include "importer/functions.h"

#include <algorithm>

#include "runtime/core/error.h"

namespace graft {
namespace {

std::string own_domain(const std::string& domain) { return domain == "ai.onnx" ? std::string() : domain; }

/// What the call, or else the function, says of an attribute; null where neither does.
const onnx::AttributeProto* given(const std::string& name, const onnx::NodeProto& call,
                                  const onnx::FunctionProto& function) {
  for (const auto& a : call.attribute())
    if (a.name() == name) return &a;
  for (const auto& a : function.attribute_proto())
    if (a.name() == name) return &a;
  return nullptr;
}

void bind(onnx::NodeProto& node, const onnx::NodeProto& call, const onnx::FunctionProto& function) {
  google::protobuf::RepeatedPtrField<onnx::AttributeProto> bound;
  for (auto& a : *node.mutable_attribute()) {
    if (a.ref_attr_name().empty()) {
      if (a.has_g())
        for (auto& inner : *a.mutable_g()->mutable_node()) bind(inner, call, function);
      *bound.Add() = std::move(a);
    } else if (const auto* value = given(a.ref_attr_name(), call, function)) {
      auto& copy = *bound.Add();
      copy = *value;
      copy.set_name(a.name());
    }
  }
  node.mutable_attribute()->Swap(&bound);
}

/// A body may run such a graph any number of times, at any depth.
[[noreturn]] void refuse_graph(const onnx::FunctionProto& function, const std::string& attribute) {
  throw Error("function \"" + function.name() + "\" takes a graph, its attribute \"" + attribute +
                  "\", which graft does not run",
              "export the model without functions", ErrorCode::unsupported);
}

}  // namespace

LocalFunctions::LocalFunctions(const onnx::ModelProto& model) {
  for (const auto& function : model.functions())
    functions_[{own_domain(function.domain()), function.name()}] = &function;
  expanded(model.graph().node(), 0);
}

const onnx::FunctionProto* LocalFunctions::find(const onnx::NodeProto& node) const {
  if (functions_.empty()) return nullptr;
  const auto it = functions_.find({own_domain(node.domain()), node.op_type()});
  return it == functions_.end() ? nullptr : it->second;
}

int64_t LocalFunctions::expanded(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, int64_t count) {
  for (const auto& node : nodes) {
    ++count;
    const auto* function = find(node);
    if (function) count += expanded(*function);
    for (const auto& attribute : node.attribute()) {
      if (!attribute.has_g()) continue;
      if (function) refuse_graph(*function, attribute.name());
      count = expanded(attribute.g().node(), count);
    }
    if (count > kMostNodes)
      throw Error(
          "holds more than " + std::to_string(kMostNodes) + " nodes, its functions' bodies counted at each call",
          "graft reads image networks, which have a few thousand; the file is damaged or made to exhaust memory");
  }
  return count;
}

int64_t LocalFunctions::expanded(const onnx::FunctionProto& function) {
  Size& size = sizes_[&function];
  if (size.open) throw Error("function \"" + function.name() + "\" calls itself", "the file is damaged");
  if (size.nodes >= 0) return size.nodes;
  for (const auto& attribute : function.attribute_proto())
    if (attribute.has_g()) refuse_graph(function, attribute.name());
  size.open = true;
  const int64_t nodes = expanded(function.node(), 0);
  size.open = false;
  return size.nodes = nodes;
}

onnx::NodeProto with_attributes_of_call(onnx::NodeProto node, const onnx::NodeProto& call,
                                        const onnx::FunctionProto& function) {
  bind(node, call, function);
  return node;
}

}  // namespace graft
