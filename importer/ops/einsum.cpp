#include "runtime/ops/einsum.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<Einsum>();
  op->equation = node.text("equation", "");
  node.emit(op, node.inputs());
}

void write(const Einsum& op, NodeWriter& node) {
  node.begin();
  node.set("equation", op.equation.c_str());
}

}  // namespace

void map_einsum(OpTable& table) {
  table.read("Einsum", read);
  table.write<Einsum>(write);
}

}  // namespace graft
