#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"

#include "importer/op_table.h"

namespace graft {
namespace {

/// (1 - m)·batch + m·running, as output `output`
void emit_running(NodeReader& node, size_t output, float momentum, ValueId running, ValueId batch) {
  const auto times = [&](const std::string& what, ValueId x, float factor) {
    const ValueId by = node.graph().add_constant(node.graph().unused_name(node.name() + ":" + what + "_by"),
                                                 Tensor::of<float>({}, {factor}));
    return node.emit_helper(what, make_binary(Binary::Kind::mul), {x, by});
  };
  const std::string name = output == 1 ? "mean" : "variance";
  node.emit_output(output, make_binary(Binary::Kind::add),
                   {times("kept_" + name, running, momentum), times("taken_" + name, batch, 1 - momentum)});
}

/// The training form whose new statistics somebody reads.
void read_training(NodeReader& node, const std::vector<ValueId>& inputs, const BatchNorm& norm) {
  auto op = std::make_shared<BatchNormTraining>();
  op->epsilon = norm.epsilon;
  const auto batch = node.emit_with_helpers(op, {inputs[0], inputs[1], inputs[2]}, {"batch_mean", "batch_variance"});
  if (node.output_count() > 1) emit_running(node, 1, norm.momentum, inputs[3], batch[0]);
  if (node.output_count() > 2) emit_running(node, 2, norm.momentum, inputs[4], batch[1]);
}

/// Where nobody reads the new statistics, training mode is noted and decided on once the whole graph is there
/// (batch_statistics.h). The old extra outputs are not training mode: before opset 14 they were there for nothing else.
void read(NodeReader& node) {
  if (node.integer("spatial", 1) != 1) throw Error("spatial = 0 is not supported");
  auto op = std::make_shared<BatchNorm>();
  op->epsilon = node.real("epsilon", 1e-5f);
  op->momentum = node.real("momentum", 0.9f);
  auto inputs = node.inputs();
  inputs.resize(5, kNoValue);
  if (node.integer("training_mode", 0) != 0 && (node.output_is_read(1) || node.output_is_read(2)))
    return read_training(node, inputs, *op);
  op->in_training = node.integer("training_mode", 0) != 0;
  node.emit(op, inputs);
}

void write(const BatchNorm& op, NodeWriter& node) {
  if (!op.tail.empty()) throw Error("a fused batch norm has no ONNX form");
  node.begin();
  node.set("epsilon", op.epsilon);
  node.set("momentum", op.momentum);
}

/// With momentum 0 the running statistics that ONNX's training form gives back are the batch's own.
void write_training(const BatchNormTraining& op, NodeWriter& node) {
  if (!op.tail.empty()) throw Error("a fused batch norm has no ONNX form");
  const Shape channels{node.input_shape(0)[1]};
  node.begin("BatchNormalization");
  node.add_input("no_mean", Tensor::zeros(DType::f32, channels));
  node.add_input("no_variance", Tensor::zeros(DType::f32, channels));
  node.set("epsilon", op.epsilon);
  node.set("momentum", 0.0f);
  node.set("training_mode", int64_t{1});
}

}  // namespace

void map_batch_norm(OpTable& table) {
  table.read("BatchNormalization", read);
  table.write<BatchNorm>(write);
  table.write<BatchNormTraining>(write_training);
}

}  // namespace graft
