#include "importer/op_table.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

void read_constant(NodeReader& node) {
  if (const auto* tensor = node.tensor("value")) return node.emit_constant(read_tensor(*tensor, node.weights()));
  if (node.has("value_float")) return node.emit_constant(Tensor::of<float>({}, {node.real("value_float", 0)}));
  if (node.has("value_int")) return node.emit_constant(Tensor::of<int64_t>({}, {node.integer("value_int", 0)}));
  if (node.has("value_ints")) {
    const auto v = node.integers("value_ints");
    return node.emit_constant(Tensor::copy_of<int64_t>({static_cast<int64_t>(v.size())}, v));
  }
  if (node.has("value_floats")) {
    const auto v = node.reals("value_floats");
    return node.emit_constant(Tensor::copy_of<float>({static_cast<int64_t>(v.size())}, v));
  }
  throw Error("holds no value that graft understands");
}

void read_constant_of_shape(NodeReader& node) {
  auto op = std::make_shared<ConstantOfShape>();
  if (const auto* fill = node.tensor("value")) {
    op->fill = std::make_shared<Tensor>(read_tensor(*fill, node.weights()));
    if (op->fill->elements() != 1) throw Error("value must have one element");
  }
  node.emit(op, node.inputs());
}

void write_constant_of_shape(const ConstantOfShape& op, NodeWriter& node) {
  auto& proto = node.begin();
  if (!op.fill) return;
  auto& attribute = *proto.add_attribute();
  attribute.set_name("value");
  attribute.set_type(onnx::AttributeProto::TENSOR);
  write_tensor(*op.fill, "value", *attribute.mutable_t());
}

}  // namespace

void map_constant(OpTable& table) {
  table.read("Constant", read_constant);
  table.read("ConstantOfShape", read_constant_of_shape);
  table.write<ConstantOfShape>(write_constant_of_shape);
}

}  // namespace graft
