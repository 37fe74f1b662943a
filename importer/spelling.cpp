#include "importer/spelling.h"

#include <utility>

#include "importer/required_inputs.h"

namespace graft {

/// Names of nodes need not differ from one another, and values may have any.
std::string Spelling::unused(const std::string& suffix) const {
  const std::string name = node_.name() + ":" + suffix;
  std::string result = name;
  for (int i = 2; node_.scope().find(result) != kNoValue; ++i) result = name + "_" + std::to_string(i);
  return result;
}

std::string Spelling::constant(const std::string& suffix, Tensor tensor) {
  std::string name = unused(suffix);
  node_.scope().define(name, node_.graph().add_constant(name, std::move(tensor)));
  return name;
}

void Spelling::read(const char* type, const std::string& name, const Names& inputs, const std::string& output,
                    const Attributes& attributes) {
  onnx::NodeProto proto;
  proto.set_op_type(type);
  proto.set_name(name);
  for (const std::string& input : inputs) proto.add_input(input);
  proto.add_output(output);
  for (const auto& a : attributes) *proto.add_attribute() = a;
  NodeReader reader(proto, node_.weights(), node_.graph(), node_.scope());
  require_inputs(reader, true);
  op_table().reader(type)(reader);
}

std::string Spelling::add(const char* type, const std::string& suffix, const Names& inputs,
                          const Attributes& attributes) {
  std::string name = unused(suffix);
  read(type, name, inputs, name, attributes);
  return name;
}

void Spelling::give(const char* type, const Names& inputs, const Attributes& attributes, size_t output) {
  if (output >= node_.output_count()) {
    if (output == 0) throw Error("has no output");
    return;
  }
  const std::string name = node_.output_name(output);
  if (!name.empty()) read(type, node_.name(), inputs, name, attributes);
}

Spelling::Attributes Spelling::own(std::initializer_list<const char*> names) const {
  Attributes found;
  for (const char* name : names)
    if (const auto* a = node_.attribute(name)) found.push_back(*a);
  return found;
}

Spelling::Attributes Spelling::wide_window() const {
  Attributes wide = own({"auto_pad", "ceil_mode", "count_include_pad"});
  for (const char* name : {"kernel_shape", "strides", "dilations"})
    if (const auto own = node_.integers(name); !own.empty())
      wide.push_back(graft::attribute(name, std::vector<int64_t>{1, own.at(0)}));
  if (const auto pads = node_.integers("pads"); !pads.empty()) {
    if (pads.size() != 2) throw Error("pads has " + std::to_string(pads.size()) + " entries for one dimension");
    wide.push_back(graft::attribute("pads", std::vector<int64_t>{0, pads[0], 0, pads[1]}));
  }
  return wide;
}

namespace {

onnx::AttributeProto typed(const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto proto;
  proto.set_name(name);
  proto.set_type(type);
  return proto;
}

}  // namespace

onnx::AttributeProto attribute(const char* name, int64_t value) {
  auto proto = typed(name, onnx::AttributeProto::INT);
  proto.set_i(value);
  return proto;
}

onnx::AttributeProto attribute(const char* name, float value) {
  auto proto = typed(name, onnx::AttributeProto::FLOAT);
  proto.set_f(value);
  return proto;
}

onnx::AttributeProto attribute(const char* name, const char* value) {
  auto proto = typed(name, onnx::AttributeProto::STRING);
  proto.set_s(value);
  return proto;
}

onnx::AttributeProto attribute(const char* name, const std::vector<int64_t>& values) {
  auto proto = typed(name, onnx::AttributeProto::INTS);
  for (int64_t v : values) proto.add_ints(v);
  return proto;
}

}  // namespace graft
