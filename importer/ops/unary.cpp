#include "runtime/ops/unary.h"

#include <limits>

#include "importer/op_table.h"

namespace graft {
namespace {

using K = Unary::Kind;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <K kind>
void read(NodeReader& node) { node.emit(make_unary(kind), node.inputs()); }

template <K kind>
void read_alpha(NodeReader& node) {
  constexpr float otherwise = kind == K::leaky_relu ? 0.01f : kind == K::elu ? 1.0f : 0.2f;
  node.emit(make_unary(kind, node.real("alpha", otherwise), node.real("beta", 0.5f)), node.inputs());
}

/// A bound of Clip: an attribute up to opset 6, an input since 11.
float bound(NodeReader& node, const char* name, size_t input, float otherwise) {
  if (!node.has_input(input)) return node.real(name, otherwise);
  const Tensor* value = node.constant(input);
  if (!value || value->elements() != 1) throw Error(std::string(name) + " must be a constant number");
  return cast(*value, DType::f32).data<float>()[0];
}

void read_clip(NodeReader& node) { node.emit(make_unary(K::clip, bound(node, "min", 1, -kInfinity), bound(node, "max", 2, kInfinity)), {node.input(0)}); }

void write(const Unary& op, NodeWriter& node) {
  node.begin();
  switch (op.kind) {
    case K::clip: {
      const DType dtype = node.graph().value(node.node().inputs[0]).dtype;
      if (op.alpha > -kInfinity) node.add_input("min", cast(Tensor::of<float>({}, {op.alpha}), dtype));
      else node.add_absent_input();
      if (op.beta < kInfinity) node.add_input("max", cast(Tensor::of<float>({}, {op.beta}), dtype));
      return;
    }
    case K::hard_sigmoid: node.set("beta", op.beta); [[fallthrough]];
    case K::leaky_relu:
    case K::elu: node.set("alpha", op.alpha); return;
    default: return;
  }
}

}  // namespace

void map_unary(OpTable& table) {
  table.read("Relu", read<K::relu>);
  table.read("Sigmoid", read<K::sigmoid>);
  table.read("HardSwish", read<K::hard_swish>);
  table.read("Tanh", read<K::tanh>);
  table.read("Softplus", read<K::softplus>);
  table.read("Exp", read<K::exp>);
  table.read("Log", read<K::log>);
  table.read("Sqrt", read<K::sqrt>);
  table.read("Neg", read<K::neg>);
  table.read("Abs", read<K::abs>);
  table.read("Reciprocal", read<K::reciprocal>);
  table.read("Floor", read<K::floor>);
  table.read("Ceil", read<K::ceil>);
  table.read("Erf", read<K::erf>);
  table.read("LeakyRelu", read_alpha<K::leaky_relu>);
  table.read("Elu", read_alpha<K::elu>);
  table.read("HardSigmoid", read_alpha<K::hard_sigmoid>);
  table.read("Clip", read_clip);
  table.write<Unary>(write);
}

}  // namespace graft
