#include "importer/op_table.h"
#include "runtime/ops/binary.h"

namespace graft {
namespace {

template <Binary::Kind kind>
void read(NodeReader& node) {
  if (node.opset() < 7) throw Error("opset " + std::to_string(node.opset()) + " broadcasts by other rules", "convert the model to opset 7 or later");
  node.emit(make_binary(kind), node.inputs());
}

/// Sum, Max and Min of any number of operands: a chain of two at a time.
template <Binary::Kind kind>
void read_chain(NodeReader& node) {
  auto inputs = node.inputs();
  if (inputs.empty()) throw Error("needs an operand");
  if (inputs.size() == 1) throw Error("of a single operand is not supported");
  ValueId sum = inputs[0];
  for (size_t i = 1; i + 1 < inputs.size(); ++i) sum = node.emit_helper(std::to_string(i), make_binary(kind), {sum, inputs[i]});
  node.emit(make_binary(kind), {sum, inputs.back()});
}

void write(const Binary& op, NodeWriter& node) {
  if (op.activation.kind != Activation::Kind::none) throw Error("a fused addition has no ONNX form");
  node.begin();
}

}  // namespace

void map_arithmetic(OpTable& table) {
  table.read("Add", read<Binary::Kind::add>);
  table.read("Sub", read<Binary::Kind::sub>);
  table.read("Mul", read<Binary::Kind::mul>);
  table.read("Div", read<Binary::Kind::div>);
  table.read("Pow", read<Binary::Kind::pow>);
  table.read("Sum", read_chain<Binary::Kind::add>);
  table.read("Max", read_chain<Binary::Kind::max>);
  table.read("Min", read_chain<Binary::Kind::min>);
  table.write<Binary>(write);
}

}  // namespace graft
