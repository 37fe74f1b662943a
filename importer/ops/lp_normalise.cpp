#include "runtime/ops/lp_normalise.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<LpNormalise>();
  op->axis = node.integer("axis", -1);
  op->p = node.integer("p", 2);
  node.emit(op, node.inputs());
}

void write(const LpNormalise& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
  node.set("p", op.p);
}

}  // namespace

void map_lp_normalise(OpTable& table) {
  table.read("LpNormalization", read);
  table.write<LpNormalise>(write);
}

}  // namespace graft
