#include "runtime/ops/softmax.h"

#include "importer/op_table.h"

namespace graft {
namespace {

template <Softmax::Form form>
void read(NodeReader& node) {
  auto op = std::make_shared<Softmax>();
  op->form = form;
  op->flatten = node.opset() < 13;
  op->axis = node.integer("axis", op->flatten ? 1 : -1);
  node.emit(op, node.inputs());
}

void write(const Softmax& op, NodeWriter& node) {
  if (op.flatten) {  // opset 17 takes one axis; the old meaning is the same when all extents after it are 1
    const Shape& x = node.input_shape(0);
    for (int64_t i = (op.axis < 0 ? op.axis + x.rank() : op.axis) + 1; i < x.rank(); ++i)
      if (x[static_cast<size_t>(i)] != 1)
        throw Error("a softmax over several dimensions cannot be written at opset 17");
  }
  node.begin();
  node.set("axis", op.axis);
}

}  // namespace

void map_softmax(OpTable& table) {
  table.read("Softmax", read<Softmax::Form::probability>);
  table.read("LogSoftmax", read<Softmax::Form::log_probability>);
  table.write<Softmax>(write);
}

}  // namespace graft
