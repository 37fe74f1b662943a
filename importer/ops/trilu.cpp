#include "runtime/ops/trilu.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<Trilu>();
  op->upper = node.integer("upper", 1) != 0;
  node.emit(op, node.inputs());
}

void write(const Trilu& op, NodeWriter& node) {
  node.begin();
  node.set("upper", int64_t{op.upper});
}

}  // namespace

void map_trilu(OpTable& table) {
  table.read("Trilu", read);
  table.write<Trilu>(write);
}

}  // namespace graft
