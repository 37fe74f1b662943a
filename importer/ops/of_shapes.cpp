#include "runtime/ops/of_shapes.h"

#include "importer/op_table.h"
#include "importer/tensor_types.h"

namespace graft {
namespace {

void read_eye(NodeReader& node) {
  auto op = std::make_shared<EyeLike>();
  op->k = node.integer("k", 0);
  if (const int64_t type = node.integer("dtype", 0); type != 0) op->to = activation_dtype(static_cast<int>(type));
  node.emit(op, node.inputs());
}

}  // namespace

void map_of_shapes(OpTable& table) {
  table.read("EyeLike", read_eye);
  table.plain<NonZero>("NonZero");
}

}  // namespace graft
