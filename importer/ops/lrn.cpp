#include "runtime/ops/lrn.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<Lrn>();
  op->size = node.integer("size", 5);
  op->alpha = node.real("alpha", 1e-4f);
  op->beta = node.real("beta", 0.75f);
  op->bias = node.real("bias", 1);
  node.emit(op, node.inputs());
}

void write(const Lrn& op, NodeWriter& node) {
  node.begin();
  node.set("size", op.size);
  node.set("alpha", op.alpha);
  node.set("beta", op.beta);
  node.set("bias", op.bias);
}

}  // namespace

void map_lrn(OpTable& table) {
  table.read("LRN", read);
  table.write<Lrn>(write);
}

}  // namespace graft
