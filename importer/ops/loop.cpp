#include "runtime/ops/loop.h"

#include "importer/node_tree.h"
#include "importer/op_table.h"
#include "importer/tensor_types.h"

namespace graft {
namespace {

// Loops are read by importer/loop.cpp, which needs more than a node.

void set_dtype(DType dtype, onnx::ValueInfoProto& info) {
  info.mutable_type()->mutable_tensor_type()->set_elem_type(onnx_type(dtype));
}

void write(const Loop& op, NodeWriter& node) {
  onnx::NodeProto& proto = node.begin("", 2 + op.carried);
  auto& attribute = *proto.add_attribute();
  attribute.set_name("body");
  attribute.set_type(onnx::AttributeProto::GRAPH);
  onnx::GraphProto& out = *attribute.mutable_g();
  out.set_name(node.node().name + ":body");

  Graph body = op.body;
  // What the body reads from around it has the names that it has there.
  for (size_t i = 2 + op.carried; i < body.inputs.size(); ++i)
    body.value(body.inputs[i]).name = node.name_of(node.node().inputs[i]);
  const auto result_dtype = [&](size_t output) { return node.graph().value(node.node().outputs[output]).dtype; };
  for (size_t i = 0; i < 2 + op.carried; ++i) {
    const Value& value = body.value(body.inputs[i]);
    onnx::ValueInfoProto& info = *out.add_input();
    info.set_name(value.name);
    set_dtype(i < 2 ? value.dtype : result_dtype(i - 2), info);
    if (i >= 2) continue;
    auto& shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
    for (int64_t extent : value.shape) shape.add_dim()->set_dim_value(extent);
  }
  write_nodes(body, out);
  std::vector<ValueId> made;
  for (const Node& part : body.nodes) made.insert(made.end(), part.outputs.begin(), part.outputs.end());
  declare_results(body, body.outputs, made, out);
  for (int i = 0; i < out.output_size(); ++i)
    set_dtype(i == 0 ? DType::boolean : result_dtype(static_cast<size_t>(i) - 1), *out.mutable_output(i));
}

}  // namespace

void map_loop(OpTable& table) { table.write<Loop>(write); }

}  // namespace graft
