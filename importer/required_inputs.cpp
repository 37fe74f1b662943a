#include "importer/required_inputs.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

namespace graft {

namespace {

size_t required_inputs(std::string_view op_type, size_t given) {
  static const std::set<std::string_view> takes_any{"Concat", "Einsum", "Max", "Mean", "Min", "SequenceConstruct",
                                                    "Sum"};
  if (takes_any.contains(op_type)) return std::max<size_t>(given, 1);
  static const std::map<std::string_view, size_t> counts{{"Constant", 0},
                                                         {"SequenceEmpty", 0},
                                                         {"Add", 2},
                                                         {"AffineGrid", 2},
                                                         {"And", 2},
                                                         {"CastLike", 2},
                                                         {"CenterCropPad", 2},
                                                         {"Conv", 2},
                                                         {"ConvInteger", 2},
                                                         {"ConvTranspose", 2},
                                                         {"CumSum", 2},
                                                         {"DequantizeLinear", 2},
                                                         {"Div", 2},
                                                         {"Equal", 2},
                                                         {"Expand", 2},
                                                         {"Gather", 2},
                                                         {"GatherElements", 2},
                                                         {"GatherND", 2},
                                                         {"Gemm", 2},
                                                         {"Greater", 2},
                                                         {"GreaterOrEqual", 2},
                                                         {"GridSample", 2},
                                                         {"LayerNormalization", 2},
                                                         {"Less", 2},
                                                         {"LessOrEqual", 2},
                                                         {"MatMul", 2},
                                                         {"MatMulInteger", 2},
                                                         {"Mod", 2},
                                                         {"Mul", 2},
                                                         {"Or", 2},
                                                         {"PRelu", 2},
                                                         {"Pow", 2},
                                                         {"QuantizeLinear", 2},
                                                         {"RMSNormalization", 2},
                                                         {"ReverseSequence", 2},
                                                         {"SequenceAt", 2},
                                                         {"SequenceInsert", 2},
                                                         {"Sub", 2},
                                                         {"Tile", 2},
                                                         {"Xor", 2},
                                                         {"Attention", 3},
                                                         {"Col2Im", 3},
                                                         {"DeformConv", 3},
                                                         {"GRU", 3},
                                                         {"GroupNormalization", 3},
                                                         {"InstanceNormalization", 3},
                                                         {"LSTM", 3},
                                                         {"OneHot", 3},
                                                         {"RNN", 3},
                                                         {"Range", 3},
                                                         {"RotaryEmbedding", 3},
                                                         {"Scatter", 3},
                                                         {"ScatterElements", 3},
                                                         {"ScatterND", 3},
                                                         {"Where", 3},
                                                         {"BatchNormalization", 5},
                                                         {"QLinearConv", 8},
                                                         {"QLinearMatMul", 8}};
  const auto found = counts.find(op_type);
  return found == counts.end() ? 1 : found->second;
}

/// Of com.microsoft, as ONNX Runtime describes them.
size_t required_elsewhere(std::string_view op_type) {
  static const std::map<std::string_view, size_t> counts{{"Attention", 2},
                                                         {"BiasAdd", 3},
                                                         {"BiasGelu", 2},
                                                         {"BiasSoftmax", 2},
                                                         {"DynamicQuantizeMatMul", 3},
                                                         {"FusedConv", 2},
                                                         {"FusedGemm", 2},
                                                         {"FusedMatMul", 2},
                                                         {"FusedMatMulActivation", 2},
                                                         {"GridSample", 2},
                                                         {"MatMulIntegerToFloat", 4},
                                                         {"MatMulNBits", 3},
                                                         {"RotaryEmbedding", 4},
                                                         {"SkipLayerNormalization", 3},
                                                         {"SkipSimplifiedLayerNormalization", 3},
                                                         {"TransposeMatMul", 2}};
  const auto found = counts.find(op_type);
  return found == counts.end() ? 1 : found->second;
}

}  // namespace

void require_inputs(const NodeReader& node, bool is_own) {
  const size_t required = is_own ? required_inputs(node.type(), node.input_count()) : required_elsewhere(node.type());
  for (size_t i = 0; i < required; ++i)
    if (!node.has_input(i)) throw Error("input " + std::to_string(i) + " is missing", "the file is damaged");
}

}  // namespace graft
