#include "runtime/ops/of_shapes.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read_eye(NodeReader& node) {
  auto op = std::make_shared<EyeLike>();
  op->k = node.integer("k", 0);
  switch (node.integer("dtype", 0)) {
    case 0:
      break;
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::DOUBLE:
      op->to = DType::f32;
      break;
    case onnx::TensorProto::INT64:
      op->to = DType::i64;
      break;
    case onnx::TensorProto::INT32:
      op->to = DType::i32;
      break;
    default:
      throw Error("element type " + std::to_string(node.integer("dtype", 0)) + " is not supported");
  }
  node.emit(op, node.inputs());
}

}  // namespace

void map_of_shapes(OpTable& table) {
  table.read("EyeLike", read_eye);
  table.plain<NonZero>("NonZero");
}

}  // namespace graft
