#include "runtime/ops/gather_elements.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<GatherElements>();
  op->axis = node.integer("axis", 0);
  node.emit(op, node.inputs());
}

void write(const GatherElements& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
}

}  // namespace

void map_gather_elements(OpTable& table) {
  table.read("GatherElements", read);
  table.write<GatherElements>(write);
}

}  // namespace graft
