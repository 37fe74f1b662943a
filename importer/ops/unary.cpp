#include "runtime/ops/unary.h"

#include <limits>

#include "importer/op_table.h"

namespace graft {
namespace {

using K = Unary::Kind;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Any function whose constants are attributes.
void read(NodeReader& node) {
  for (const UnaryTraits& f : unary_functions()) {
    if (f.type != node.type()) continue;
    const auto constant = [&](const UnaryTraits::Constant& c) {
      return c.name ? node.real(c.name, c.otherwise) : 0.0f;
    };
    return node.emit(make_unary(f.kind, constant(f.alpha), constant(f.beta)), node.inputs());
  }
}

void read_gelu(NodeReader& node) {
  const std::string form = node.text("approximate", "none");
  if (form != "none" && form != "tanh") throw Error("approximate \"" + form + "\" is unknown");
  node.emit(make_unary(form == "tanh" ? K::gelu_tanh : K::gelu), node.inputs());
}

/// A bound of Clip: an attribute up to opset 6, an input since 11.
float bound(NodeReader& node, const char* name, size_t input, float otherwise) {
  if (!node.has_input(input)) return node.real(name, otherwise);
  const Tensor* value = node.constant(input);
  if (!value || value->elements() != 1) throw Error(std::string(name) + " must be a constant number");
  return cast(*value, DType::f32).data<float>()[0];
}

void read_clip(NodeReader& node) {
  node.emit(make_unary(K::clip, bound(node, "min", 1, -kInfinity), bound(node, "max", 2, kInfinity)), {node.input(0)});
}

/// Functions younger than the opset that is written, spelled out in older ones.
void write_swish(const Unary& op, NodeWriter& node) {
  const std::string x = node.name_of(node.node().inputs[0]), y = node.name_of(node.node().outputs[0]);
  std::string scaled = x;
  if (op.alpha != 1.0f)
    scaled = node.helper("Mul", {x, node.constant("alpha", Tensor::of<float>({}, {op.alpha}))}, "scaled");
  const std::string gate = node.helper("Sigmoid", {scaled}, "gate");
  node.helper("Mul", {x, gate}, "", y);
}

void write_gelu(const Unary&, NodeWriter& node) {
  const std::string x = node.name_of(node.node().inputs[0]), y = node.name_of(node.node().outputs[0]);
  const auto number = [&](const char* name, float value) {
    return node.constant(name, Tensor::of<float>({}, {value}));
  };
  const std::string scaled = node.helper("Mul", {x, number("root_half", 0.70710678f)}, "scaled");
  const std::string erf = node.helper("Erf", {scaled}, "erf");
  const std::string raised = node.helper("Add", {erf, number("one", 1.0f)}, "raised");
  const std::string half = node.helper("Mul", {x, number("half", 0.5f)}, "half_x");
  node.helper("Mul", {half, raised}, "", y);
}

void write_gelu_tanh(const Unary&, NodeWriter& node) {
  const std::string x = node.name_of(node.node().inputs[0]), y = node.name_of(node.node().outputs[0]);
  const auto number = [&](const char* name, float value) {
    return node.constant(name, Tensor::of<float>({}, {value}));
  };
  const std::string cube = node.helper("Mul", {node.helper("Mul", {x, x}, "square"), x}, "cube");
  const std::string inner = node.helper("Add", {x, node.helper("Mul", {cube, number("c", 0.044715f)}, "small")}, "sum");
  const std::string tanh =
      node.helper("Tanh", {node.helper("Mul", {inner, number("k", 0.79788456f)}, "scaled")}, "tanh");
  const std::string raised = node.helper("Add", {tanh, number("one", 1.0f)}, "raised");
  node.helper("Mul", {node.helper("Mul", {x, number("half", 0.5f)}, "half_x"), raised}, "", y);
}

void write_mish(const Unary&, NodeWriter& node) {
  const std::string x = node.name_of(node.node().inputs[0]), y = node.name_of(node.node().outputs[0]);
  node.helper("Mul", {x, node.helper("Tanh", {node.helper("Softplus", {x}, "softplus")}, "tanh")}, "", y);
}

void write(const Unary& op, NodeWriter& node) {
  switch (op.kind) {
    case K::swish:
      return write_swish(op, node);
    case K::gelu:
      return write_gelu(op, node);
    case K::gelu_tanh:
      return write_gelu_tanh(op, node);
    case K::mish:
      return write_mish(op, node);
    default:
      break;
  }
  node.begin();
  if (op.kind == K::clip) {
    const DType dtype = node.graph().value(node.node().inputs[0]).dtype;
    if (op.alpha > -kInfinity)
      node.add_input("min", cast(Tensor::of<float>({}, {op.alpha}), dtype));
    else
      node.add_absent_input();
    if (op.beta < kInfinity) node.add_input("max", cast(Tensor::of<float>({}, {op.beta}), dtype));
    return;
  }
  const UnaryTraits& f = traits(op.kind);
  if (f.alpha.name) node.set(f.alpha.name, op.alpha);
  if (f.beta.name) node.set(f.beta.name, op.beta);
}

}  // namespace

void map_unary(OpTable& table) {
  for (const UnaryTraits& f : unary_functions()) table.read(std::string(f.type), read);
  table.read("Clip", read_clip);
  table.read("Gelu", read_gelu);
  table.write<Unary>(write);
}

}  // namespace graft
