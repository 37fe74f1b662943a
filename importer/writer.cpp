#include "importer/writer.h"

#include <cmath>

#include "importer/metadata.h"
#include "importer/op_table.h"
#include "runtime/base/atomic_file.h"

namespace graft {
namespace {

constexpr int64_t kWrittenOpset = 17;
constexpr int64_t kWrittenIr = 8;
constexpr int64_t kSmallTable = 4096;  // constants up to this size keep their precision: nothing is saved on them

int onnx_type(DType dtype) {
  switch (dtype) {
    case DType::i64: return onnx::TensorProto::INT64;
    case DType::i32: return onnx::TensorProto::INT32;
    case DType::u8: return onnx::TensorProto::UINT8;
    case DType::i8: return onnx::TensorProto::INT8;
    case DType::boolean: return onnx::TensorProto::BOOL;
    default: return onnx::TensorProto::FLOAT;
  }
}

void write_info(const Value& value, bool open_batch, onnx::ValueInfoProto& info) {
  info.set_name(value.name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnx_type(value.dtype));
  auto& shape = *tensor.mutable_shape();
  const size_t rows = value.dtype == DType::u8 ? 1 : 2;  // whole pictures are N×height×width×3
  for (size_t i = 0; i < value.shape.size(); ++i) {
    auto& dim = *shape.add_dim();
    if (i == 0 && open_batch) dim.set_dim_param("N");
    else if (value.shape[i] == kOpenDim) dim.set_dim_param(i == rows ? "height" : "width");
    else dim.set_dim_value(value.shape[i]);
  }
}

/// Writes a weight as float16 under another name; returns the Cast that gives it back.
onnx::NodeProto write_half(const Tensor& tensor, const std::string& name, onnx::GraphProto& out) {
  for (float v : tensor.data<float>())
    if (std::fabs(v) > 65504.0f) throw Error("weight \"" + name + "\" holds " + std::to_string(v) + ", too large for float16", "write float32 weights");
  write_tensor(cast(tensor, DType::f16), name + ":half", *out.add_initializer());
  onnx::NodeProto node;
  node.set_op_type("Cast");
  node.set_name(name + ":cast");
  node.add_input(name + ":half");
  node.add_output(name);
  auto& to = *node.add_attribute();
  to.set_name("to");
  to.set_type(onnx::AttributeProto::INT);
  to.set_i(onnx::TensorProto::FLOAT);
  return node;
}

onnx::ModelProto to_proto(const Model& model, const WriteOptions& options) {
  onnx::ModelProto proto;
  proto.set_ir_version(kWrittenIr);
  proto.set_producer_name("graft");
  proto.add_opset_import()->set_version(kWrittenOpset);
  for (const auto& [key, value] : properties_from_metadata(model.metadata)) {
    auto& entry = *proto.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  const Graph& graph = model.graph;
  auto& out = *proto.mutable_graph();
  out.set_name("graft");
  for (ValueId id : graph.inputs) write_info(graph.value(id), true, *out.add_input());
  for (ValueId id : graph.outputs) write_info(graph.value(id), true, *out.add_output());
  for (const Node& node : graph.nodes) {
    with_place([&] { return describe(node); }, [&] {
      const auto* write = op_table().writer(*node.op);
      if (!write) throw Error("has no ONNX form");
      NodeWriter writer(graph, node, out);
      (*write)(*node.op, writer);
    });
  }
  // Only what the written nodes read: mappings may have replaced inputs by attributes.
  std::map<std::string, ValueId> constants;
  for (size_t i = 0; i < graph.value_count(); ++i)
    if (graph.value(static_cast<ValueId>(i)).constant) constants[graph.value(static_cast<ValueId>(i)).name] = static_cast<ValueId>(i);
  std::map<std::string, bool> written;
  std::vector<onnx::NodeProto> casts;
  for (const auto& node : out.node()) {
    for (const std::string& name : node.input()) {
      const auto it = constants.find(name);
      if (it == constants.end() || written[name]) continue;
      written[name] = true;
      const Value& value = graph.value(it->second);
      if (options.half_weights && value.dtype == DType::f32 && value.shape.rank() > 1 && value.shape.elements() > kSmallTable) casts.push_back(write_half(*value.constant, name, out));
      else write_tensor(*value.constant, name, *out.add_initializer());
    }
  }
  if (casts.empty()) return proto;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes(casts.begin(), casts.end());  // nodes stand in topological order
  nodes.MergeFrom(out.node());
  out.mutable_node()->Swap(&nodes);
  return proto;
}

}  // namespace

void write_model(const Model& model, const std::string& path, const WriteOptions& options) {
  const onnx::ModelProto proto = with_place([&] { return path; }, [&] { return to_proto(model, options); });
  write_atomically(path, [&](std::ostream& stream) { proto.SerializeToOstream(&stream); });
}

std::string attributes_text(const Graph& graph, const Node& node) {
  const auto* write = op_table().writer(*node.op);
  if (!write) return "";
  onnx::GraphProto proto;
  try {
    NodeWriter writer(graph, node, proto);
    (*write)(*node.op, writer);
  } catch (const Error&) {
    return "";
  }
  std::string text;
  for (const auto& attribute : proto.node(proto.node_size() - 1).attribute()) text += (text.empty() ? "" : ", ") + attribute.ShortDebugString();
  return text;
}

}  // namespace graft
