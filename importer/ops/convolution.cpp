#include "runtime/ops/convolution.h"

#include "importer/op_table.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<Convolution>();
  const Shape& weight = node.shape(1);
  const auto kernel = node.integers("kernel_shape");
  if (weight.rank() != 4 && kernel.size() != 2) {
    throw Error("only 2-D convolutions with a known weight are supported; weight is " + weight.str());
  }
  op->window = node.window(weight.rank() == 4 ? Extent2d{weight[2], weight[3]} : Extent2d{kernel[0], kernel[1]});
  op->groups = node.integer("group", 1);
  node.emit(op, node.inputs());
}

void write(const Convolution& op, NodeWriter& node) {
  if (!op.tail.empty()) throw Error("a fused convolution has no ONNX form");
  node.begin();
  node.set_window(op.window, true);
  node.set("group", op.groups);
}

}  // namespace

void map_convolution(OpTable& table) {
  table.read("Conv", read);
  table.write<Convolution>(write);
}

}  // namespace graft
