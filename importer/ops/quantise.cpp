#include "runtime/ops/quantise.h"

#include "importer/op_table.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

void require_whole_axes(NodeReader& node) {
  if (node.integer("block_size", 0) != 0) throw Error("scales of blocks are not supported");
}

void read_quantise(NodeReader& node) {
  require_whole_axes(node);
  auto op = std::make_shared<Quantise>();
  op->axis = node.integer("axis", 1);
  switch (node.integer("output_dtype", 0)) {
    case 0:
    case onnx::TensorProto::UINT8:
      break;
    case onnx::TensorProto::INT8:
      op->to = DType::i8;
      break;
    default:
      throw Error("quantising to element type " + std::to_string(node.integer("output_dtype", 0)) +
                  " is not supported");
  }
  node.emit(op, node.inputs());
}

void read_dequantise(NodeReader& node) {
  require_whole_axes(node);
  auto op = std::make_shared<Dequantise>();
  op->axis = node.integer("axis", 1);
  node.emit(op, node.inputs());
}

ValueId dequantised(NodeReader& node, const char* suffix, size_t value, size_t scale, size_t zero, int64_t axis) {
  auto op = std::make_shared<Dequantise>();
  op->axis = axis;
  std::vector<ValueId> inputs{node.input(value), node.input(scale)};
  if (node.has_input(zero)) inputs.push_back(node.input(zero));
  return node.emit_helper(suffix, op, inputs);
}

/// Operators on quantised numbers are computed on the numbers that they stand for, and quantised again: the same sums,
/// since products of eight bits and their sums are exact in float32 up to 2²⁴.
void quantise_result(NodeReader& node, ValueId value, size_t scale, size_t zero) {
  node.emit(std::make_shared<Quantise>(), {value, node.input(scale), node.input(zero)});
}

void read_convolution(NodeReader& node) {
  const Shape weight = node.shape(3);
  if (weight.rank() != 4)
    throw Error("only 2-D convolutions with a known weight are supported; weight is " + weight.str());
  auto op = std::make_shared<Convolution>();
  op->window = node.window(Extent2d{weight[2], weight[3]});
  op->groups = node.integer("group", 1);
  std::vector<ValueId> inputs{dequantised(node, "x", 0, 1, 2, 1), dequantised(node, "w", 3, 4, 5, 0)};
  if (node.has_input(8)) {  // whole numbers of x's scale times w's
    const Tensor *bias = node.constant(8), *x_scale = node.constant(1), *w_scale = node.constant(4);
    if (!bias || !x_scale || !w_scale) throw Error("bias and scales must be constants");
    Tensor real = cast(*bias, DType::f32);
    const auto scales = w_scale->data<float>();
    if (x_scale->elements() != 1)
      throw Error("x_scale has " + std::to_string(x_scale->elements()) + " elements, not one", "the file is damaged");
    if (real.shape().rank() != 1 || real.elements() != weight[0])
      throw Error("bias is " + real.shape().str() + " where the weight has " + std::to_string(weight[0]) + " channels",
                  "the file is damaged");
    if (scales.size() != 1 && static_cast<int64_t>(scales.size()) != weight[0])
      throw Error("w_scale has " + std::to_string(scales.size()) + " elements, not one or one for each of " +
                      std::to_string(weight[0]) + " channels",
                  "the file is damaged");
    for (size_t i = 0; i < real.data<float>().size(); ++i)
      real.data<float>()[i] *= x_scale->data<float>()[0] * scales[scales.size() > 1 ? i : 0];
    inputs.push_back(node.graph().add_constant(node.name() + ":bias", std::move(real)));
  }
  quantise_result(node, node.emit_helper("product", op, inputs), 6, 7);
}

void read_matmul(NodeReader& node) {
  const ValueId a = dequantised(node, "a", 0, 1, 2, -2), b = dequantised(node, "b", 3, 4, 5, -1);
  quantise_result(node, node.emit_helper("product", std::make_shared<MatMul>(), {a, b}), 6, 7);
}

/// Whole numbers as they are, less their zero points.
ValueId whole(NodeReader& node, const char* suffix, size_t value, size_t zero, int64_t axis) {
  auto op = std::make_shared<Dequantise>();
  op->axis = axis;
  std::vector<ValueId> inputs{node.input(value), node.graph().add_constant(node.name() + ":" + suffix + ":scale",
                                                                           Tensor::of<float>({}, {1.0f}))};
  if (node.input_count() > zero && node.has_input(zero)) inputs.push_back(node.input(zero));
  return node.emit_helper(suffix, op, inputs);
}

OperatorPtr to_int32() {
  auto op = std::make_shared<Cast>();
  op->to = DType::i32;
  return op;
}

void read_whole_convolution(NodeReader& node) {
  const Shape weight = node.shape(1);
  if (weight.rank() != 4)
    throw Error("only 2-D convolutions with a known weight are supported; weight is " + weight.str());
  auto op = std::make_shared<Convolution>();
  op->window = node.window(Extent2d{weight[2], weight[3]});
  op->groups = node.integer("group", 1);
  node.emit(to_int32(), {node.emit_helper("product", op, {whole(node, "x", 0, 2, 1), whole(node, "w", 1, 3, 0)})});
}

void read_whole_matmul(NodeReader& node) {
  node.emit(to_int32(), {node.emit_helper("product", std::make_shared<MatMul>(),
                                          {whole(node, "a", 0, 2, -2), whole(node, "b", 1, 3, -1)})});
}

void write_quantise(const Quantise& op, NodeWriter& node) {
  if (node.node().inputs.size() < 3 && op.to != DType::u8)
    throw Error("a signed result without a zero point has no ONNX form at opset 17");
  node.begin();
  node.set("axis", op.axis);
}

void write_dequantise(const Dequantise& op, NodeWriter& node) {
  node.begin();
  node.set("axis", op.axis);
}

}  // namespace

void map_quantise(OpTable& table) {
  table.read("QuantizeLinear", read_quantise);
  table.read("DequantizeLinear", read_dequantise);
  table.read("QLinearConv", read_convolution);
  table.read("QLinearMatMul", read_matmul);
  table.read("ConvInteger", read_whole_convolution);
  table.read("MatMulInteger", read_whole_matmul);
  table.write<Quantise>(write_quantise);
  table.write<Dequantise>(write_dequantise);
}

}  // namespace graft
