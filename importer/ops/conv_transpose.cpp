#include "runtime/ops/conv_transpose.h"

#include "importer/op_table.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/reshape.h"

namespace graft {
namespace {

void read(NodeReader& node) {
  auto op = std::make_shared<ConvTranspose>();
  const Shape weight = node.known_shape(1);  // kernel_shape may be left out
  const auto kernel = node.integers("kernel_shape");
  if (weight.rank() != 4 && kernel.size() != 2)
    throw Error(weight.empty() && kernel.empty() ? "its weight depends on the data, and kernel_shape is not given"
                                                 : "only 2-D convolutions are supported; weight is " + weight.str());
  op->window = node.window(weight.rank() == 4 ? Extent2d{weight[2], weight[3]} : Extent2d{kernel[0], kernel[1]});
  op->groups = node.integer("group", 1);
  if (const auto more = node.integers("output_padding"); more.size() == 2) op->output_padding = {more[0], more[1]};
  op->output_shape = node.integers("output_shape");
  if (op->output_shape.size() == 4) op->output_shape.erase(op->output_shape.begin(), op->output_shape.begin() + 2);
  if (!node.has_input(2)) return node.emit(op, {node.input(0), node.input(1)});
  const ValueId product = node.emit_helper("product", op, {node.input(0), node.input(1)});
  const auto plus = [&](ValueId column) { node.emit(make_binary(Binary::Kind::add), {product, column}); };
  const Tensor* bias = node.constant(2);
  if (!bias) {  // dequantised
    auto op_of_column = std::make_shared<Unsqueeze>();
    op_of_column->axes = {0, 2, 3};
    return plus(node.emit_helper("column", op_of_column, {node.input(2)}));
  }
  Tensor column = bias->clone();
  column.reshape({1, bias->elements(), 1, 1});
  plus(node.graph().add_constant(node.name() + ":bias", std::move(column)));
}

void write(const ConvTranspose& op, NodeWriter& node) {
  node.begin();
  node.set_window(op.window, true);
  node.set("group", op.groups);
  if (op.output_padding.height != 0 || op.output_padding.width != 0)
    node.set("output_padding", {op.output_padding.height, op.output_padding.width});
  if (!op.output_shape.empty()) node.set("output_shape", op.output_shape);
}

}  // namespace

void map_conv_transpose(OpTable& table) {
  table.read("ConvTranspose", read);
  table.write<ConvTranspose>(write);
}

}  // namespace graft
