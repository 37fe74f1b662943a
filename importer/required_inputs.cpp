#include "importer/required_inputs.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace graft {
namespace {

/// Operators by how many inputs they cannot do without, where that is not 1.
struct Counted {
  size_t inputs;
  std::set<std::string_view> operators;
};

const std::vector<Counted>& own_operators() {
  static const std::vector<Counted> counts{
      {0, {"Constant", "SequenceEmpty"}},
      {2,
       {"Add",
        "AffineGrid",
        "And",
        "CastLike",
        "CenterCropPad",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "CumSum",
        "DequantizeLinear",
        "Div",
        "Equal",
        "Expand",
        "Gather",
        "GatherElements",
        "GatherND",
        "Gemm",
        "Greater",
        "GreaterOrEqual",
        "GridSample",
        "LayerNormalization",
        "Less",
        "LessOrEqual",
        "MatMul",
        "MatMulInteger",
        "Mod",
        "Mul",
        "Or",
        "PRelu",
        "Pow",
        "QuantizeLinear",
        "RMSNormalization",
        "ReverseSequence",
        "SequenceAt",
        "SequenceInsert",
        "Sub",
        "Tile",
        "Xor"}},
      {3,
       {"Attention", "Col2Im", "DeformConv", "GRU", "GroupNormalization", "InstanceNormalization", "LSTM", "OneHot",
        "RNN", "Range", "RotaryEmbedding", "Scatter", "ScatterElements", "ScatterND", "Where"}},
      {5, {"BatchNormalization"}},
      {8, {"QLinearConv", "QLinearMatMul"}},
  };
  return counts;
}

/// Of com.microsoft, as ONNX Runtime describes them.
const std::vector<Counted>& other_operators() {
  static const std::vector<Counted> counts{
      {2,
       {"Attention", "BiasGelu", "BiasSoftmax", "FusedConv", "FusedGemm", "FusedMatMul", "FusedMatMulActivation",
        "GridSample", "TransposeMatMul"}},
      {3,
       {"BiasAdd", "DynamicQuantizeMatMul", "MatMulNBits", "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization"}},
      {4, {"MatMulIntegerToFloat", "RotaryEmbedding"}},
  };
  return counts;
}

size_t required_inputs(const NodeReader& node, bool is_own) {
  static const std::set<std::string_view> takes_any{"Concat", "Einsum", "Max", "Mean", "Min", "SequenceConstruct",
                                                    "Sum"};
  if (is_own && takes_any.contains(node.type())) return std::max<size_t>(node.input_count(), 1);
  for (const Counted& counted : is_own ? own_operators() : other_operators())
    if (counted.operators.contains(node.type())) return counted.inputs;
  return 1;
}

}  // namespace

void require_inputs(const NodeReader& node, bool is_own) {
  const size_t required = required_inputs(node, is_own);
  for (size_t i = 0; i < required; ++i)
    if (!node.has_input(i)) throw Error("input " + std::to_string(i) + " is missing", "the file is damaged");
}

}  // namespace graft
