#include "runtime/ops/center_crop_pad.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<CenterCropPad>();
  op->axes = node.integers("axes");
  node.emit(op, node.inputs());
}

}  // namespace

// Opset 17, which is written, has no such operator: what it stands for is written.
void map_center_crop_pad(OpTable& table) { table.read("CenterCropPad", read); }

}  // namespace graft
