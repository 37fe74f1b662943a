#include "runtime/ops/deform_convolution.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  const Shape weight = node.known_shape(1);
  if (weight.rank() != 4)
    throw Error("only deformable convolutions over pictures, with weights of known extents, are supported", {},
                ErrorCode::unsupported);
  for (const char* name : {"auto_pad", "ceil_mode"})
    if (node.has(name)) throw Error(std::string("attribute ") + name + " is unknown");
  auto op = std::make_shared<DeformConvolution>();
  op->window = node.window({weight[2], weight[3]});
  op->groups = node.integer("group", 1);
  op->offset_groups = node.integer("offset_group", 1);
  node.emit(op, node.inputs());
}

}  // namespace

// Opset 17, which is written, has no such operator: what it stands for is written.
void map_deform_convolution(OpTable& table) { table.read("DeformConv", read); }

}  // namespace graft
