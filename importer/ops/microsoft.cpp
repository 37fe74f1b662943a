// What ONNX Runtime's optimiser writes in its own domain: fused forms, spelt with the operators that they were made of.
// [ONNX Runtime, "Contrib operators", com.microsoft]
#include "importer/spelling.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/softmax.h"

namespace graft {
namespace {

/// Output 0: an activation of `x` by the node's attribute of this name, or `x` itself.
void give_activated(NodeReader& node, Spelling& spell, const std::string& x) {
  const std::string name = node.text("activation", "");
  if (name.empty()) return spell.give("Identity", {x});
  const auto numbers = node.reals("activation_params");
  const auto parameter = [&](size_t i, const char* own, float otherwise) {
    return i < numbers.size() ? numbers[i] : node.real(own, otherwise);
  };
  if (name == "Clip")
    return spell.give("Clip", {x, spell.number("low", parameter(0, "activation_alpha", 0)),
                               spell.number("high", parameter(1, "activation_beta", 6))});
  Spelling::Attributes attributes;
  if (name == "LeakyRelu") {
    attributes = {attribute("alpha", parameter(0, "activation_alpha", 0.01f))};
  } else if (name == "HardSigmoid") {
    attributes = {attribute("alpha", parameter(0, "activation_alpha", 0.2f)),
                  attribute("beta", parameter(1, "activation_beta", 0.5f))};
  } else if (name != "Relu" && name != "Sigmoid" && name != "Tanh") {
    throw Error("activation \"" + name + "\" is not supported");
  }
  spell.give(name.c_str(), {x}, attributes);
}

/// A convolution, its optional residual (input 3), its activation.
void read_convolution(NodeReader& node) {
  Spelling spell(node);
  Spelling::Names inputs{spell.input(0), spell.input(1)};
  if (const std::string bias = spell.input(2); !bias.empty()) inputs.push_back(bias);
  std::string y = spell.add("Conv", "convolution", inputs,
                            spell.own({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}));
  if (const std::string residual = spell.input(3); !residual.empty()) y = spell.add("Add", "sum", {y, residual});
  give_activated(node, spell, y);
}

void read_gemm(NodeReader& node) {
  Spelling spell(node);
  Spelling::Names inputs{spell.input(0), spell.input(1)};
  if (const std::string c = spell.input(2); !c.empty()) inputs.push_back(c);
  give_activated(node, spell, spell.add("Gemm", "product", inputs, spell.own({"alpha", "beta", "transA", "transB"})));
}

/// α·op(A)·op(B)
void read_matmul(NodeReader& node) {
  if (node.integer("transBatchA", 0) != 0 || node.integer("transBatchB", 0) != 0)
    throw Error("a transposed batch is not supported");
  Spelling spell(node);
  const bool a = node.integer("transA", 0) != 0, b = node.integer("transB", 0) != 0;
  const float alpha = node.real("alpha", 1);
  const bool activated = !node.text("activation", "").empty();
  const Spelling::Names inputs{spell.input(0), spell.input(1)};
  // How many dimensions there are is not known here: an Einsum need not.
  const std::string equation = std::string(a ? "...ki," : "...ik,") + (b ? "...jk->...ij" : "...kj->...ij");
  const Spelling::Attributes transposed{attribute("equation", equation.c_str())};
  const char* type = a || b ? "Einsum" : "MatMul";
  const auto attributes = a || b ? transposed : Spelling::Attributes{};
  if (alpha == 1 && !activated) return spell.give(type, inputs, attributes);
  const std::string product = spell.add(type, "product", inputs, attributes);
  if (!activated) return spell.give("Mul", {product, spell.number("alpha", alpha)});
  give_activated(node, spell,
                 alpha == 1 ? product : spell.add("Mul", "scaled", {product, spell.number("alpha", alpha)}));
}

/// Gelu of x, or of x plus a bias (input 1). `approximate`: "tanh" or "none".
void give_gelu(Spelling& spell, const char* approximate) {
  const std::string bias = spell.input(1);
  spell.give("Gelu", {bias.empty() ? spell.input(0) : spell.add("Add", "sum", {spell.input(0), bias})},
             {attribute("approximate", approximate)});
}

void read_gelu(NodeReader& node) {
  Spelling spell(node);
  give_gelu(spell, "none");
}

void read_fast_gelu(NodeReader& node) {
  Spelling spell(node);
  give_gelu(spell, "tanh");
}

/// x·σ(α·x)
void read_quick_gelu(NodeReader& node) {
  Spelling spell(node);
  const std::string x = spell.input(0);
  const std::string scaled = spell.add("Mul", "scaled", {x, spell.number("alpha", node.real("alpha", 1.702f))});
  spell.give("Mul", {x, spell.add("Sigmoid", "gate", {scaled})});
}

/// x plus a skip connection plus an optional bias, normalised; output 3 is the sum.
void give_skip_norm(NodeReader& node, bool root_mean_square) {
  Spelling spell(node);
  const size_t bias = root_mean_square ? 3 : 4;
  std::string sum = spell.add("Add", "sum", {spell.input(0), spell.input(1)});
  if (!spell.input(bias).empty()) sum = spell.add("Add", "biased", {sum, spell.input(bias)});
  spell.give("Identity", {sum}, {}, 3);
  Spelling::Names inputs{sum, spell.input(2)};
  if (!root_mean_square && !spell.input(3).empty()) inputs.push_back(spell.input(3));
  const Spelling::Attributes attributes{attribute("axis", int64_t{-1}),
                                        attribute("epsilon", node.real("epsilon", 1e-12f))};
  spell.give(root_mean_square ? "RMSNormalization" : "LayerNormalization", inputs, attributes);
}

void read_skip_layer(NodeReader& node) { give_skip_norm(node, false); }
void read_skip_root_mean_square(NodeReader& node) { give_skip_norm(node, true); }

void read_root_mean_square(NodeReader& node) {
  Spelling spell(node);
  spell.give("RMSNormalization", {spell.input(0), spell.input(1)}, spell.own({"axis", "epsilon"}));
}

/// softmax(x + bias) over all dimensions from `axis` on
void read_bias_softmax(NodeReader& node) {
  auto op = std::make_shared<Softmax>();
  op->flatten = true;
  op->axis = node.integer("axis", 1);
  node.emit(op, {node.emit_helper("sum", make_binary(Binary::Kind::add), {node.input(0), node.input(1)})});
}

/// x (N×L×C) plus a bias plus a skip connection
void read_bias_add(NodeReader& node) {
  Spelling spell(node);
  spell.give("Add", {spell.add("Add", "sum", {spell.input(0), spell.input(1)}), spell.input(2)});
}

Spelling::Attributes attention_attributes(NodeReader& node) {
  const int64_t heads = node.integer("num_heads", 0);
  Spelling::Attributes attributes{attribute("q_num_heads", heads), attribute("kv_num_heads", heads)};
  if (const float scale = node.real("scale", 0); scale != 0) attributes.push_back(attribute("scale", scale));
  if (node.integer("unidirectional", 0) != 0) attributes.push_back(attribute("is_causal", int64_t{1}));
  return attributes;
}

void require_no_more_inputs(NodeReader& node, size_t from) {
  for (size_t i = from; i < node.input_count(); ++i)
    if (node.has_input(i)) throw Error("masks, caches and biases of an attention are not supported");
}

/// Query, key and value from one product: x (N×L×C), weights (C×3·D) and bias (3·D) side by side.
void read_attention(NodeReader& node) {
  require_no_more_inputs(node, 3);
  if (node.integer("do_rotary", 0) != 0) throw Error("rotary embeddings of an attention are not supported");
  if (!node.integers("qkv_hidden_sizes").empty())
    throw Error("queries and values of different widths are not supported");
  Spelling spell(node);
  std::string all = spell.add("MatMul", "product", {spell.input(0), spell.input(1)});
  if (!spell.input(2).empty()) all = spell.add("Add", "biased", {all, spell.input(2)});
  const Shape weight = node.shape(1);  // a copy: values move as nodes are added
  if (weight.rank() != 2 || weight[1] % 3 != 0) throw Error("weights are " + weight.str() + ", not three side by side");
  const auto part = [&](const char* suffix, int64_t i) {
    const int64_t width = weight[1] / 3;
    return spell.add("Slice", suffix,
                     {all, spell.integers(std::string(suffix) + "_from", {i * width}),
                      spell.integers(std::string(suffix) + "_to", {(i + 1) * width}),
                      spell.integers(std::string(suffix) + "_axis", {2})});
  };
  const Spelling::Names parts{part("query", 0), part("key", 1), part("value", 2)};
  spell.give("Attention", parts, attention_attributes(node));
}

/// Query, key and value (N×L×D) as they are, with a bias (3·D) of all three.
void read_multi_head(NodeReader& node) {
  require_no_more_inputs(node, 4);
  Spelling spell(node);
  Spelling::Names parts{spell.input(0), spell.input(1), spell.input(2)};
  if (const std::string bias = spell.input(3); !bias.empty()) {
    const int64_t width = node.shape(3).elements() / 3;
    const std::string axis = spell.integers("bias_axis", {0});
    for (size_t i = 0; i < 3; ++i) {
      const std::string suffix = "bias" + std::to_string(i);
      const auto at = static_cast<int64_t>(i);
      const std::string own = spell.add("Slice", suffix,
                                        {bias, spell.integers(suffix + "_from", {at * width}),
                                         spell.integers(suffix + "_to", {(at + 1) * width}), axis});
      parts[i] = spell.add("Add", suffix + "_sum", {parts[i], own});
    }
  }
  spell.give("Attention", parts, attention_attributes(node));
}

/// Channels in blocks, as one processor wants them: the padding of weights and the order inside are that processor's.
void refuse_blocked(NodeReader&) {
  throw Error("lies in blocks of channels, as ONNX Runtime optimised it for one processor",
              "save it with a lower optimisation level (ORT_ENABLE_EXTENDED), or take the original file",
              ErrorCode::unsupported);
}

}  // namespace

void map_microsoft(OpTable& table) {
  table.read("com.microsoft.FusedConv", read_convolution);
  table.read("com.microsoft.FusedGemm", read_gemm);
  table.read("com.microsoft.FusedMatMul", read_matmul);
  table.read("com.microsoft.TransposeMatMul", read_matmul);
  table.read("com.microsoft.FusedMatMulActivation", read_matmul);
  table.read("com.microsoft.Gelu", read_gelu);
  table.read("com.microsoft.BiasGelu", read_gelu);
  table.read("com.microsoft.FastGelu", read_fast_gelu);
  table.read("com.microsoft.QuickGelu", read_quick_gelu);
  table.read("com.microsoft.SkipLayerNormalization", read_skip_layer);
  table.read("com.microsoft.SkipSimplifiedLayerNormalization", read_skip_root_mean_square);
  table.read("SimplifiedLayerNormalization", read_root_mean_square);
  table.read("com.microsoft.BiasSoftmax", read_bias_softmax);
  table.read("com.microsoft.BiasAdd", read_bias_add);
  table.read("com.microsoft.Attention", read_attention);
  table.read("com.microsoft.MultiHeadAttention", read_multi_head);
  for (const char* type : {"Conv", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "Upsample",
                           "ReorderInput", "ReorderOutput"})
    table.read(std::string("com.microsoft.nchwc.") + type, refuse_blocked);
}

}  // namespace graft
