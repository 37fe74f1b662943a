#include "importer/writer.h"

#include "importer/metadata.h"
#include "importer/op_table.h"
#include "runtime/base/atomic_file.h"

namespace graft {
namespace {

constexpr int64_t kWrittenOpset = 17;
constexpr int64_t kWrittenIr = 8;

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
  for (size_t i = 0; i < value.shape.size(); ++i) {
    auto& dim = *shape.add_dim();
    if (i == 0 && open_batch) dim.set_dim_param("N");
    else if (value.shape[i] == kOpenDim) dim.set_dim_param(i == 2 ? "height" : "width");
    else dim.set_dim_value(value.shape[i]);
  }
}

onnx::ModelProto to_proto(const Model& model) {
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
  for (const auto& node : out.node()) {
    for (const std::string& name : node.input()) {
      const auto it = constants.find(name);
      if (it == constants.end() || written[name]) continue;
      written[name] = true;
      write_tensor(*graph.value(it->second).constant, name, *out.add_initializer());
    }
  }
  return proto;
}

}  // namespace

void write_model(const Model& model, const std::string& path) {
  const onnx::ModelProto proto = with_place([&] { return path; }, [&] { return to_proto(model); });
  write_atomically(path, [&](std::ostream& stream) { proto.SerializeToOstream(&stream); });
}

}  // namespace graft
