// Operators on quantised numbers that are spelt with DequantizeLinear and QuantizeLinear: the numbers stand for floats,
// which are computed on and quantised again. [ONNX Runtime, "Contrib operators", com.microsoft]
#include "importer/spelling.h"

namespace graft {
namespace {

/// Inputs value, value + 1 and value + 2 as floats: numbers, their scale and their zero point.
std::string dequantised(Spelling& spell, const char* suffix, size_t value, int64_t axis = 1) {
  Spelling::Names inputs{spell.input(value), spell.input(value + 1)};
  if (const std::string zero = spell.input(value + 2); !zero.empty()) inputs.push_back(zero);
  return spell.add("DequantizeLinear", suffix, inputs, {attribute("axis", axis)});
}

/// Output 0 from floats, by the scale and the zero point in inputs `scale` and `scale` + 1.
void quantise(Spelling& spell, const std::string& floats, size_t scale) {
  Spelling::Names inputs{floats, spell.input(scale)};
  if (const std::string zero = spell.input(scale + 1); !zero.empty()) inputs.push_back(zero);
  spell.give("QuantizeLinear", inputs);
}

/// ONNX's own, where channels stand first.
void read_convolution(NodeReader& node) {
  if (node.integer("channels_last", 0) != 0)
    throw Error("has channels last, as ONNX Runtime optimised it for one processor",
                "save it with a lower optimisation level (ORT_ENABLE_EXTENDED), or take the original file",
                ErrorCode::unsupported);
  op_table().reader("QLinearConv")(node);
}

template <const char* type>
void read_binary(NodeReader& node) {
  Spelling spell(node);
  const std::string a = dequantised(spell, "a", 0), b = dequantised(spell, "b", 3);
  quantise(spell, spell.add(type, "result", {a, b}), 6);
}

/// One operand (inputs 0 to 2), quantised by inputs 3 and 4. `attributes` are handed on.
void read_one(NodeReader& node, const char* type, std::initializer_list<const char*> attributes) {
  if (node.integer("channels_last", 0) != 0) throw Error("channels that lie last are not supported");
  Spelling spell(node);
  quantise(spell, spell.add(type, "result", {dequantised(spell, "x", 0)}, spell.own(attributes)), 3);
}

void read_sigmoid(NodeReader& node) { read_one(node, "Sigmoid", {}); }
void read_leaky_relu(NodeReader& node) { read_one(node, "LeakyRelu", {"alpha"}); }
void read_global_average(NodeReader& node) { read_one(node, "GlobalAveragePool", {}); }
void read_average(NodeReader& node) {
  read_one(node, "AveragePool", {"kernel_shape", "strides", "pads", "auto_pad", "ceil_mode", "count_include_pad"});
}
void read_reduce_mean(NodeReader& node) { read_one(node, "ReduceMean", {"axes", "keepdims"}); }
void read_softmax(NodeReader& node) {
  if (node.integer("opset", 13) < 13) throw Error("a softmax over several dimensions is not supported");
  read_one(node, "Softmax", {"axis"});
}

/// Scale and zero point of the result, then three inputs for each operand.
void read_concat(NodeReader& node) {
  Spelling spell(node);
  Spelling::Names parts;
  for (size_t i = 2; i + 2 < node.input_count(); i += 3)
    parts.push_back(dequantised(spell, ("part" + std::to_string(i)).c_str(), i));
  quantise(spell, spell.add("Concat", "result", parts, spell.own({"axis"})), 0);
}

/// The bias is whole numbers of a's scale times b's.
void read_gemm(NodeReader& node) {
  Spelling spell(node);
  const bool transposed = node.integer("transB", 0) != 0;
  Spelling::Names inputs{dequantised(spell, "a", 0), dequantised(spell, "b", 3, transposed ? 0 : 1)};
  if (const std::string bias = spell.input(6); !bias.empty()) {
    std::string scale = spell.add("Mul", "bias_scale", {spell.input(1), spell.input(4)});
    if (const float alpha = node.real("alpha", 1); alpha != 1)
      scale = spell.add("Mul", "bias_scale_alpha", {scale, spell.number("alpha", alpha)});
    const std::string floats =
        spell.add("Cast", "bias_float", {bias}, {attribute("to", int64_t{onnx::TensorProto::FLOAT})});
    inputs.push_back(spell.add("Mul", "bias", {floats, scale}));
  }
  Spelling::Attributes attributes = spell.own({"alpha", "transA", "transB"});
  const std::string product = spell.add("Gemm", "product", inputs, attributes);
  if (spell.input(7).empty()) return spell.give("Identity", {product});
  quantise(spell, product, 7);
}

/// a (inputs 0, 2, 4: numbers, scale, zero) times b (1, 3, 5) plus a bias of floats (6).
void read_matmul_to_float(NodeReader& node) {
  Spelling spell(node);
  const auto operand = [&](const char* suffix, size_t i, int64_t axis) {
    Spelling::Names inputs{spell.input(i), spell.input(i + 2)};
    if (const std::string zero = spell.input(i + 4); !zero.empty()) inputs.push_back(zero);
    return spell.add("DequantizeLinear", suffix, inputs, {attribute("axis", axis)});
  };
  const Spelling::Names operands{operand("a", 0, -2), operand("b", 1, -1)};
  if (spell.input(6).empty()) return spell.give("MatMul", operands);
  spell.give("Add", {spell.add("MatMul", "product", operands), spell.input(6)});
}

/// y = saturate(round(x / scale) + zero) with the scale that the extremes of x, zero among them, need in eight bits.
/// [ONNX, DynamicQuantizeLinear]
struct Dynamic {
  std::string scale, zero;
};
Dynamic dynamic_scale(Spelling& spell, const std::string& x) {
  const std::string none = spell.number("none", 0), most = spell.number("most", 255);
  const Spelling::Attributes flat{attribute("keepdims", int64_t{0})};
  const std::string high = spell.add("Max", "high", {spell.add("ReduceMax", "largest", {x}, flat), none});
  const std::string low = spell.add("Min", "low", {spell.add("ReduceMin", "smallest", {x}, flat), none});
  Dynamic d;
  // Where all is zero any scale does, but zero.
  const std::string range = spell.add("Sub", "range", {high, low}),
                    is_flat = spell.add("Equal", "is_flat", {range, none});
  d.scale = spell.add("Where", "scale", {is_flat, spell.number("one", 1), spell.add("Div", "step", {range, most})});
  const std::string point = spell.add("Neg", "point", {spell.add("Div", "low_steps", {low, d.scale})});
  const std::string whole = spell.add("Round", "whole", {spell.add("Clip", "inside", {point, none, most})});
  d.zero = spell.add("Cast", "zero", {whole}, {attribute("to", int64_t{onnx::TensorProto::UINT8})});
  return d;
}

void read_dynamic(NodeReader& node) {
  Spelling spell(node);
  const Dynamic d = dynamic_scale(spell, spell.input(0));
  spell.give("QuantizeLinear", {spell.input(0), d.scale, d.zero});
  spell.give("Identity", {d.scale}, {}, 1);
  spell.give("Identity", {d.zero}, {}, 2);
}

/// a (floats, quantised here) times b (1: numbers, 2: scale, 3: zero) plus a bias (4).
void read_dynamic_matmul(NodeReader& node) {
  Spelling spell(node);
  const std::string x = spell.input(0);
  const Dynamic d = dynamic_scale(spell, x);
  const std::string rounded = spell.add(
      "DequantizeLinear", "a", {spell.add("QuantizeLinear", "quantised", {x, d.scale, d.zero}), d.scale, d.zero});
  const Spelling::Names operands{rounded, dequantised(spell, "b", 1, -1)};
  if (spell.input(4).empty()) return spell.give("MatMul", operands);
  spell.give("Add", {spell.add("MatMul", "product", operands), spell.input(4)});
}

constexpr char kAdd[] = "Add", kMul[] = "Mul";

}  // namespace

void map_quantised_forms(OpTable& table) {
  table.read("DynamicQuantizeLinear", read_dynamic);
  table.read("com.microsoft.DynamicQuantizeMatMul", read_dynamic_matmul);
  table.read("com.microsoft.MatMulIntegerToFloat", read_matmul_to_float);
  table.read("com.microsoft.QGemm", read_gemm);
  table.read("com.microsoft.QLinearConv", read_convolution);
  table.read("com.microsoft.QLinearAdd", read_binary<kAdd>);
  table.read("com.microsoft.QLinearMul", read_binary<kMul>);
  table.read("com.microsoft.QLinearConcat", read_concat);
  table.read("com.microsoft.QLinearSigmoid", read_sigmoid);
  table.read("com.microsoft.QLinearLeakyRelu", read_leaky_relu);
  table.read("com.microsoft.QLinearAveragePool", read_average);
  table.read("com.microsoft.QLinearGlobalAveragePool", read_global_average);
  table.read("com.microsoft.QLinearReduceMean", read_reduce_mean);
  table.read("com.microsoft.QLinearSoftmax", read_softmax);
  table.read("com.microsoft.QuantizeLinear", [](NodeReader& node) { op_table().reader("QuantizeLinear")(node); });
  table.read("com.microsoft.DequantizeLinear", [](NodeReader& node) { op_table().reader("DequantizeLinear")(node); });
}

}  // namespace graft
