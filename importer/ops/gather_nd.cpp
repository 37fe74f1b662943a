#include "runtime/ops/gather_nd.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<GatherND>();
  op->batch_dims = node.integer("batch_dims", 0);
  node.emit(op, node.inputs());
}

void write(const GatherND& op, NodeWriter& node) {
  node.begin();
  node.set("batch_dims", op.batch_dims);
}

}  // namespace

void map_gather_nd(OpTable& table) {
  table.read("GatherND", read);
  table.write<GatherND>(write);
}

}  // namespace graft
