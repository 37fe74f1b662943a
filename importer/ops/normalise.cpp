#include "runtime/ops/normalise.h"

#include <cmath>

#include "importer/op_table.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

void read_instance(NodeReader& node) {
  auto op = std::make_shared<Normalise>();
  op->over = Normalise::Over::instance;
  op->epsilon = node.real("epsilon", 1e-5f);
  node.emit(op, node.inputs());
}

void read_group(NodeReader& node) {
  auto op = std::make_shared<Normalise>();
  op->over = Normalise::Over::group;
  op->groups = node.integer("num_groups", 1);
  op->epsilon = node.real("epsilon", 1e-5f);
  node.emit(op, node.inputs());
}

template <bool root_mean_square>
void read_layer(NodeReader& node) {
  auto op = std::make_shared<Normalise>();
  op->over = Normalise::Over::layer;
  op->axis = node.integer("axis", -1);
  op->epsilon = node.real("epsilon", 1e-5f);
  op->root_mean_square = root_mean_square;
  node.emit(op, node.inputs(), root_mean_square ? 1 : 3);
}

/// (x - E[x]) / √(E[x²] - E[x]² + 1e-9), as ONNX spells it out.
void read_mean_variance(NodeReader& node) {
  auto mean = std::make_shared<Reduce>();
  mean->axes = node.integers("axes");
  if (mean->axes.empty()) mean->axes = {0, 2, 3};
  const ValueId x = node.input(0), average = node.emit_helper("mean", mean, {x});
  const ValueId centred = node.emit_helper("centred", make_binary(Binary::Kind::sub), {x, average});
  const ValueId square = node.emit_helper("square", make_binary(Binary::Kind::mul), {centred, centred});
  const ValueId variance = node.emit_helper("variance", mean, {square});
  const ValueId least = node.graph().add_constant(node.name() + ":epsilon", Tensor::of<float>({}, {1e-9f}));
  const ValueId deviation =
      node.emit_helper("deviation", make_unary(Unary::Kind::sqrt),
                       {node.emit_helper("raised", make_binary(Binary::Kind::add), {variance, least})});
  node.emit(make_binary(Binary::Kind::div), {centred, deviation});
}

/// Younger than the written opset: an instance norm over pictures whose channels are the groups, then scale and bias.
void write_group(const Normalise& op, NodeWriter& node) {
  const std::string x = node.name_of(node.node().inputs[0]), y = node.name_of(node.node().outputs[0]);
  const Shape& shape = node.input_shape(0);
  const int64_t channels = shape[1];
  const auto numbers = [&](const char* name, const std::vector<int64_t>& values) {
    return node.constant(name, Tensor::copy_of<int64_t>({static_cast<int64_t>(values.size())}, values));
  };
  const std::vector<float> ones(static_cast<size_t>(op.groups), 1.0f), zeros(static_cast<size_t>(op.groups), 0.0f);
  const std::string grouped = node.helper("Reshape", {x, numbers("groups", {0, op.groups, -1})}, "grouped");
  const std::string one = node.constant("ones", Tensor::copy_of<float>({op.groups}, ones)),
                    zero = node.constant("zeros", Tensor::copy_of<float>({op.groups}, zeros));
  const std::string normal = node.helper("InstanceNormalization", {grouped, one, zero}, "normal");
  node.set("epsilon", op.epsilon);
  std::vector<int64_t> back{0, channels}, ranks;
  for (size_t i = 2; i < shape.size(); ++i) back.push_back(shape[i]), ranks.push_back(static_cast<int64_t>(i) - 1);
  const std::string restored = node.helper("Reshape", {normal, numbers("shape", back)}, "restored");
  const std::string axes = numbers("axes", ranks);
  const auto aligned = [&](size_t input, const char* name) {
    if (node.input_shape(input) == Shape{channels})
      return node.helper("Unsqueeze", {node.name_of(node.node().inputs[input]), axes}, name);
    throw Error("parameters of whole groups have no ONNX form at opset 17");
  };
  const std::string scaled = node.helper("Mul", {restored, aligned(1, "scale")}, "scaled");
  node.helper("Add", {scaled, aligned(2, "bias")}, "", y);
}

void write(const Normalise& op, NodeWriter& node) {
  if (op.over == Normalise::Over::group) return write_group(op, node);
  if (op.root_mean_square) throw Error("has no ONNX form at opset 17");
  node.begin();
  node.set("epsilon", op.epsilon);
  if (op.over == Normalise::Over::layer) node.set("axis", op.axis);
}

}  // namespace

void map_normalise(OpTable& table) {
  table.read("InstanceNormalization", read_instance);
  table.read("GroupNormalization", read_group);
  table.read("LayerNormalization", read_layer<false>);
  table.read("RMSNormalization", read_layer<true>);
  table.read("MeanVarianceNormalization", read_mean_variance);
  table.write<Normalise>(write);
}

}  // namespace graft
