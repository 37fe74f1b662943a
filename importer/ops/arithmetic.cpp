#include "importer/op_table.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

template <Binary::Kind kind>
void read(NodeReader& node) {
  if (node.opset() < 7)
    throw Error("opset " + std::to_string(node.opset()) + " broadcasts by other rules",
                "convert the model to opset 7 or later");
  node.emit(make_binary(kind), node.inputs());
}

/// Sum, Max, Min and Mean of any number of operands: a chain of two at a time.
ValueId chain(NodeReader& node, Binary::Kind kind, std::vector<ValueId> inputs) {
  if (inputs.empty()) throw Error("needs an operand");
  ValueId sum = inputs[0];
  for (size_t i = 1; i < inputs.size(); ++i)
    sum = node.emit_helper(std::to_string(i), make_binary(kind), {sum, inputs[i]});
  return sum;
}

template <Binary::Kind kind>
void read_chain(NodeReader& node) {
  auto inputs = node.inputs();
  if (inputs.size() < 2) return node.emit(std::make_shared<Identity>(), {chain(node, kind, inputs)});
  const ValueId last = inputs.back();
  inputs.pop_back();
  node.emit(make_binary(kind), {chain(node, kind, inputs), last});
}

void read_mean(NodeReader& node) {
  const auto inputs = node.inputs();
  const ValueId sum = chain(node, Binary::Kind::add, inputs);
  const ValueId share = node.graph().add_constant(node.name() + ":share",
                                                  Tensor::of<float>({}, {1.0f / static_cast<float>(inputs.size())}));
  node.emit(make_binary(Binary::Kind::mul), {sum, share});
}

void read_mod(NodeReader& node) {
  node.emit(make_binary(node.integer("fmod", 0) ? Binary::Kind::fmod : Binary::Kind::mod), node.inputs());
}

/// The exponent may have another element type; the result has the base's.
void read_power(NodeReader& node) {
  auto inputs = node.inputs();
  if (inputs.size() == 2 && node.graph().value(inputs[0]).dtype != node.graph().value(inputs[1]).dtype &&
      node.constant(1)) {
    const DType base = node.graph().value(inputs[0]).dtype;
    const bool whole = base != DType::f32 && node.graph().value(inputs[1]).dtype == DType::f32;
    if (whole) {  // an integer to a fraction: through floats
      auto to_float = std::make_shared<Cast>(), back = std::make_shared<Cast>();
      back->to = base;
      const ValueId x = node.emit_helper("float", to_float, {inputs[0]});
      return node.emit(back, {node.emit_helper("power", make_binary(Binary::Kind::pow), {x, inputs[1]})});
    }
    inputs[1] = node.graph().add_constant(node.name() + ":exponent", cast(*node.constant(1), base));
  }
  node.emit(make_binary(Binary::Kind::pow), inputs);
}

void write(const Binary& op, NodeWriter& node) {
  if (op.activation.kind != Activation::Kind::none) throw Error("a fused addition has no ONNX form");
  node.begin();
  const bool floats = node.graph().value(node.node().inputs[0]).dtype == DType::f32;
  if (op.kind == Binary::Kind::mod && floats) throw Error("Mod of floats with the divisor's sign has no ONNX form");
  if (op.kind == Binary::Kind::fmod) node.set("fmod", int64_t{1});
}

}  // namespace

void map_arithmetic(OpTable& table) {
  table.read("Add", read<Binary::Kind::add>);
  table.read("Sub", read<Binary::Kind::sub>);
  table.read("Mul", read<Binary::Kind::mul>);
  table.read("Div", read<Binary::Kind::div>);
  table.read("Pow", read_power);
  table.read("Mod", read_mod);
  table.read("Mean", read_mean);
  table.read("Sum", read_chain<Binary::Kind::add>);
  table.read("Max", read_chain<Binary::Kind::max>);
  table.read("Min", read_chain<Binary::Kind::min>);
  table.write<Binary>(write);
}

}  // namespace graft
