#include "runtime/ops/one_hot.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<OneHot>();
  op->axis = node.integer("axis", -1);
  node.emit(op, node.inputs());
}

void write(const OneHot& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
}

}  // namespace

void map_one_hot(OpTable& table) {
  table.read("OneHot", read);
  table.write<OneHot>(write);
}

}  // namespace graft
