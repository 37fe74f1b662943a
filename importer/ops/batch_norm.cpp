#include "runtime/ops/batch_norm.h"

#include "importer/op_table.h"

namespace graft {
namespace {

/// A file exported in training mode (training_mode = 1, or with the old extra outputs) is read in its inference form: whether
/// statistics are trained is decided by the training job.
void read(NodeReader& node) {
  if (node.integer("spatial", 1) != 1) throw Error("spatial = 0 is not supported");
  auto op = std::make_shared<BatchNorm>();
  op->epsilon = node.real("epsilon", 1e-5f);
  op->momentum = node.real("momentum", 0.9f);
  auto inputs = node.inputs();
  inputs.resize(5, kNoValue);
  node.emit(op, inputs);
}

void write(const BatchNorm& op, NodeWriter& node) {
  if (!op.tail.empty()) throw Error("a fused batch norm has no ONNX form");
  node.begin();
  node.set("epsilon", op.epsilon);
  node.set("momentum", op.momentum);
}

}  // namespace

void map_batch_norm(OpTable& table) {
  table.read("BatchNormalization", read);
  table.write<BatchNorm>(write);
}

}  // namespace graft
