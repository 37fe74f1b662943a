#include "runtime/ops/affine_grid.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<AffineGrid>();
  op->align_corners = node.integer("align_corners", 0) != 0;
  node.emit(op, node.inputs());
}

}  // namespace

// Opset 17, which is written, has no such operator: what it stands for is written.
void map_affine_grid(OpTable& table) { table.read("AffineGrid", read); }

}  // namespace graft
