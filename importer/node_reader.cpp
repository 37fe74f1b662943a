#include "importer/op_table.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace graft {

const onnx::AttributeProto* NodeReader::find(const char* name, int type) const {
  for (const onnx::AttributeProto& a : node_.attribute()) {
    if (a.name() != name) continue;
    if (type != 0 && a.type() != type) throw Error(std::string("attribute ") + name + " has the wrong type");
    return &a;
  }
  return nullptr;
}

int64_t NodeReader::integer(const char* name, int64_t otherwise) const {
  const auto* a = find(name, onnx::AttributeProto::INT);
  return a ? a->i() : otherwise;
}

float NodeReader::real(const char* name, float otherwise) const {
  const auto* a = find(name, onnx::AttributeProto::FLOAT);
  return a ? a->f() : otherwise;
}

std::string NodeReader::text(const char* name, const std::string& otherwise) const {
  const auto* a = find(name, onnx::AttributeProto::STRING);
  return a ? a->s() : otherwise;
}

std::vector<int64_t> NodeReader::integers(const char* name) const {
  const auto* a = find(name, onnx::AttributeProto::INTS);
  return a ? std::vector<int64_t>(a->ints().begin(), a->ints().end()) : std::vector<int64_t>{};
}

std::vector<float> NodeReader::reals(const char* name) const {
  const auto* a = find(name, onnx::AttributeProto::FLOATS);
  return a ? std::vector<float>(a->floats().begin(), a->floats().end()) : std::vector<float>{};
}

const onnx::TensorProto* NodeReader::tensor(const char* name) const {
  const auto* a = find(name, onnx::AttributeProto::TENSOR);
  return a ? &a->t() : nullptr;
}

ValueId NodeReader::input(size_t i) const {
  if (!has_input(i)) {
    if (i < input_count()) return kNoValue;
    throw Error("input " + std::to_string(i) + " is missing");
  }
  const std::string& name = node_.input(static_cast<int>(i));
  const ValueId id = scope_.find(name);
  if (id == kNoValue && scope_.find_sequence(name))
    throw Error("reads \"" + name + "\", a sequence of tensors", {}, ErrorCode::unsupported);
  if (id == kNoValue) throw Error("reads \"" + name + "\", which no node makes", "the file is damaged");
  return id;
}

std::vector<ValueId> NodeReader::inputs() const {
  std::vector<ValueId> ids;
  for (size_t i = 0; i < input_count(); ++i) ids.push_back(input(i));
  while (!ids.empty() && ids.back() == kNoValue) ids.pop_back();
  return ids;
}

const Tensor* NodeReader::constant(size_t i) const {
  return has_input(i) ? graph_.value(input(i)).constant.get() : nullptr;
}

Shape NodeReader::known_shape(size_t i) const {
  constexpr int kDeepest = 32;  // nodes between the constants and here
  std::map<ValueId, std::optional<ValueType>> known;
  const std::function<std::optional<ValueType>(ValueId, int)> type = [&](ValueId id,
                                                                         int depth) -> std::optional<ValueType> {
    if (id == kNoValue) return ValueType{};
    const Value& value = graph_.value(id);
    if (value.constant || (!value.shape.empty() && !value.shape.is_open())) return graph_.type_of(id);
    if (const auto it = known.find(id); it != known.end()) return it->second;
    std::optional<ValueType>& found = known[id];
    const auto made = std::find_if(graph_.nodes.rbegin(), graph_.nodes.rend(), [&](const Node& n) {
      return std::find(n.outputs.begin(), n.outputs.end(), id) != n.outputs.end();
    });
    if (made == graph_.nodes.rend() || depth == 0) return found;
    std::vector<ValueType> inputs;
    for (const ValueId input : made->inputs) {
      const auto one = type(input, depth - 1);
      if (!one) return std::nullopt;
      inputs.push_back(*one);
    }
    try {
      const auto at = std::find(made->outputs.begin(), made->outputs.end(), id) - made->outputs.begin();
      found = made->op->infer(inputs).at(static_cast<size_t>(at));
    } catch (const std::exception&) {  // it needs contents, or nothing fits: said where the graph is typed
      found = std::nullopt;
    }
    return found;
  };
  const auto found = type(input(i), kDeepest);
  return found ? found->shape : Shape{};
}

void NodeReader::emit(OperatorPtr op, std::vector<ValueId> inputs, size_t outputs) {
  if (output_count() == 0) throw Error("has no output");
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(outputs, output_count()); ++i) names.push_back(node_.output(static_cast<int>(i)));
  graph_.append_node(name(), std::move(op), std::move(inputs), names);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty()) scope_.define(names[i], graph_.nodes.back().outputs[i]);
  }
}

void NodeReader::emit_output(size_t output, OperatorPtr op, std::vector<ValueId> inputs) {
  const std::string& wanted = node_.output(static_cast<int>(output));
  if (wanted.empty()) return;
  graph_.append_node(output == 0 ? name() : name() + ":" + std::to_string(output), std::move(op), std::move(inputs),
                     {wanted});
  scope_.define(wanted, graph_.nodes.back().outputs[0]);
}

ValueId NodeReader::emit_helper(const std::string& suffix, OperatorPtr op, std::vector<ValueId> inputs) {
  graph_.append_node(name() + ":" + suffix, std::move(op), std::move(inputs), {name() + ":" + suffix});
  return graph_.nodes.back().outputs[0];
}

std::vector<ValueId> NodeReader::emit_with_helpers(OperatorPtr op, std::vector<ValueId> inputs,
                                                   const std::vector<std::string>& suffixes) {
  if (output_count() == 0) throw Error("has no output");
  std::vector<std::string> names{node_.output(0)};
  for (const std::string& suffix : suffixes) names.push_back(name() + ":" + suffix);
  graph_.append_node(name(), std::move(op), std::move(inputs), names);
  const auto& outputs = graph_.nodes.back().outputs;
  scope_.define(names[0], outputs[0]);
  return {outputs.begin() + 1, outputs.end()};
}

void NodeReader::emit_alias(ValueId value) {
  if (output_count() == 0) throw Error("has no output");
  scope_.define(node_.output(0), value);
}

void NodeReader::emit_constant(Tensor tensor) {
  if (output_count() == 0) throw Error("has no output");
  const std::string& output = node_.output(0);
  scope_.define(output, graph_.add_constant(output, std::move(tensor)));
}

Window2d NodeReader::window(Extent2d kernel, size_t dimensions, size_t height, size_t width) const {
  Window2d w;
  w.kernel = kernel;
  const auto entries = [&](const char* name, size_t count) {
    std::vector<int64_t> values = integers(name);
    if (!values.empty() && values.size() != count)
      throw Error(std::string(name) + " has " + std::to_string(values.size()) + " entries for " +
                  std::to_string(dimensions) + " spatial dimensions");
    return values;
  };
  const auto pair = [&](const char* name, Extent2d& extent) {
    const std::vector<int64_t> values = entries(name, dimensions);
    if (values.empty()) return;
    extent = {values[height], width < dimensions ? values[width] : 1};
  };
  pair("kernel_shape", w.kernel);
  pair("strides", w.stride);
  pair("dilations", w.dilation);
  if (const std::vector<int64_t> pads = entries("pads", 2 * dimensions); !pads.empty()) {
    w.padding.top = pads[height];
    w.padding.bottom = pads[height + dimensions];
    if (width < dimensions) {
      w.padding.left = pads[width];
      w.padding.right = pads[width + dimensions];
    }
  }
  const std::string automatic = text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER")
    w.auto_pad = AutoPad::same_upper;
  else if (automatic == "SAME_LOWER")
    w.auto_pad = AutoPad::same_lower;
  else if (automatic == "VALID")
    w.padding = {};
  else if (automatic != "NOTSET")
    throw Error("auto_pad \"" + automatic + "\" is unknown");
  if (integer("ceil_mode", 0) != 0) w.rounding = Rounding::ceil;
  return w;
}

}  // namespace graft
