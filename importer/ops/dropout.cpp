#include "runtime/ops/dropout.h"

#include "importer/op_table.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<Dropout>();
  op->ratio = node.real("ratio", 0.5f);
  if (const Tensor* ratio = node.constant(1)) {
    const Tensor value = cast(*ratio, DType::f32);
    if (value.elements() > 0) op->ratio = value.data<float>()[0];
  } else if (node.has_input(1)) {
    throw Error("the ratio depends on the data");
  }
  op->stream = static_cast<uint32_t>(node.graph().value_count());
  node.emit(op, {node.input(0)});
  if (node.output_count() < 2) return;
  auto kept = std::make_shared<ConstantOfShape>();  // the mask of a pass that drops nothing
  kept->fill = std::make_shared<Tensor>(Tensor::of<bool>({1}, {true}));
  node.emit_output(1, kept, {node.emit_helper("shape", std::make_shared<ShapeOf>(), {node.input(0)})});
}

void write(const Dropout& op, NodeWriter& node) {
  if (op.vanilla) {  // ONNX's own is the inverted one: what is left of this is its scaling
    node.begin("Mul");
    node.add_input("keep", Tensor::of<float>({}, {1 - op.ratio}));
    return;
  }
  node.begin();
  node.add_input("ratio", Tensor::of<float>({}, {op.ratio}));
}

}  // namespace

void map_dropout(OpTable& table) {
  table.read("Dropout", read);
  table.write<Dropout>(write);
}

}  // namespace graft
