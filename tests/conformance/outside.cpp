#include <algorithm>

#include "importer/op_table.h"
#include "tests/conformance/case.h"

namespace graft::conformance {
namespace {

constexpr const char* kHalfResult = "half precision as a result (graft computes in float32)";

bool known_type(int type) {
  switch (type) {
    case onnx::TensorProto::FLOAT:
    case onnx::TensorProto::DOUBLE:
    case onnx::TensorProto::FLOAT16:
    case onnx::TensorProto::BFLOAT16:
    case onnx::TensorProto::INT64:
    case onnx::TensorProto::INT32:
    case onnx::TensorProto::UINT8:
    case onnx::TensorProto::INT8:
    case onnx::TensorProto::BOOL:
      return true;
    default:
      return false;
  }
}

/// The first operator that graft does not read, in the graph or in its branches.
std::string unknown_operator(const onnx::GraphProto& graph) {
  for (const auto& node : graph.node()) {
    for (const auto& attribute : node.attribute())
      if (attribute.has_g())
        if (const std::string op = unknown_operator(attribute.g()); !op.empty()) return op;
    const bool own = node.domain().empty() || node.domain() == "ai.onnx";
    if (node.op_type() != "If" && node.op_type() != "Loop" && (!own || !op_table().reader(node.op_type())))
      return node.op_type();
  }
  return "";
}

/// Inputs that are no initialisers (old files list those among the inputs).
std::vector<onnx::ValueInfoProto> data_inputs(const onnx::ModelProto& model) {
  std::vector<onnx::ValueInfoProto> inputs;
  for (const auto& input : model.graph().input()) {
    const auto& all = model.graph().initializer();
    if (std::none_of(all.begin(), all.end(), [&](const auto& tensor) { return tensor.name() == input.name(); }))
      inputs.push_back(input);
  }
  return inputs;
}

std::string outside_node(const onnx::NodeProto& node, const onnx::ModelProto& model) {
  const std::string& op = node.op_type();
  const auto inputs = data_inputs(model);
  const int rank = inputs.empty() ? 0 : inputs[0].type().tensor_type().shape().dim_size();
  const auto has_input = [&](const std::string& name) {
    for (const auto& v : inputs)
      if (v.name() == name) return true;
    return false;
  };
  const bool spatial = op == "Conv" || op == "ConvTranspose" || op == "MaxPool" || op == "AveragePool" ||
                       op == "LpPool" || op == "GlobalLpPool";
  const bool any_dimensions = op == "Conv" || op == "MaxPool" || op == "AveragePool" || (rank == 3 && op == "LpPool");
  if (spatial && rank != 4 && !any_dimensions) return "one- and three-dimensional " + op;
  if (op == "Col2Im" && model.graph().output(0).type().tensor_type().shape().dim_size() != 4)
    return "one- and three-dimensional " + op;
  if ((op == "LSTM" || op == "GRU" || op == "RNN") && node.input_size() > 4 && !node.input(4).empty())
    return "recurrent networks on sequences of different lengths";
  if (spatial && rank == 3 && inputs[0].type().tensor_type().shape().dim(2).dim_value() > 16384)
    return "inputs longer than 16384, as sounds are";
  if (op == "NonZero") return "NonZero of what is not constant";
  if (op.starts_with("Reduce") && inputs[0].type().tensor_type().elem_type() == onnx::TensorProto::BOOL)
    return "reductions of booleans";
  if (op == "Attention" && (node.output_size() > 1 || node.input_size() > 4))
    return "Attention with keys and values of earlier passes, or inner results";
  if (op == "CastLike") {
    const int to = model.graph().output(0).type().tensor_type().elem_type();
    if (to == onnx::TensorProto::FLOAT16 || to == onnx::TensorProto::BFLOAT16) return kHalfResult;
  }
  if (op == "MaxPool" && node.output_size() > 1) return "MaxPool with indices (for unpooling only)";
  if (op == "Dropout" && (has_input("t") || has_input("training_mode"))) return "Dropout in training form (random)";
  if ((op == "GridSample" || op == "AffineGrid") &&
      model.graph().output(0).type().tensor_type().shape().dim_size() == 5)
    return "three-dimensional " + op;
  for (const auto& a : node.attribute()) {
    if (op == "Cast" && a.name() == "to" && !known_type(static_cast<int>(a.i()))) return "Cast to other element types";
    if (op == "Cast" && a.name() == "to" &&
        (a.i() == onnx::TensorProto::FLOAT16 || a.i() == onnx::TensorProto::BFLOAT16))
      return kHalfResult;
    if (a.name() == "block_size" && a.i() != 0) return "quantisation by blocks";
    if (op == "QuantizeLinear" && a.name() == "output_dtype" && !known_type(static_cast<int>(a.i())))
      return "quantisation to other element types";
  }
  return "";
}

}  // namespace

std::string outside(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import())
    if (!opset.domain().empty() && opset.domain() != "ai.onnx" && model.functions_size() == 0)
      return "operators of " + opset.domain();
  const std::string& name = model.graph().name();
  if (name.starts_with("test_qlinearmatmul") && name.find("_int8_") != std::string::npos)
    return "QLinearMatMul expected to wrap around (the standard says: saturate)";
  if (model.functions_size() == 0)
    if (const std::string op = unknown_operator(model.graph()); !op.empty()) return "operator " + op;
  for (const auto* list : {&model.graph().input(), &model.graph().output()}) {
    for (const auto& v : *list) {
      if (!v.type().has_tensor_type()) return "sequences and optionals";
      if (!known_type(v.type().tensor_type().elem_type()))
        return "strings, complex numbers, other integers and eight-bit or smaller floats";
    }
  }
  for (const auto& node : model.graph().node())
    if (const std::string reason = outside_node(node, model); !reason.empty()) return reason;
  for (const auto& opset : model.opset_import())
    if ((opset.domain().empty() || opset.domain() == "ai.onnx") && opset.version() < 7) return "opsets below 7";
  return "";
}

}  // namespace graft::conformance
