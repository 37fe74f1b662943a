#include "runtime/ops/reverse_sequence.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<ReverseSequence>();
  op->batch_axis = node.integer("batch_axis", 1);
  op->time_axis = node.integer("time_axis", 0);
  node.emit(op, node.inputs());
}

void write(const ReverseSequence& op, NodeWriter& node) {
  node.begin();
  node.set("batch_axis", op.batch_axis);
  node.set("time_axis", op.time_axis);
}

}  // namespace

void map_reverse_sequence(OpTable& table) {
  table.read("ReverseSequence", read);
  table.write<ReverseSequence>(write);
}

}  // namespace graft
