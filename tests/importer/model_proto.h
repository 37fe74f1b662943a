#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include "importer/reader.h"
#include "onnx.pb.h"
#include "runtime/core/error.h"
#include "runtime/cpu/cpu_backend.h"
#include "runtime/plan/plan.h"

namespace graft {

/// A model of one input x, of these extents (-1: open), and one output y; its nodes are still to be added.
inline onnx::ModelProto empty_model(std::initializer_list<int64_t> shape = {1, 3, 8, 8}) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  auto* input = model.mutable_graph()->add_input();
  input->set_name("x");
  auto* type = input->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (int64_t extent : shape) {
    auto* dim = type->mutable_shape()->add_dim();
    if (extent >= 0)
      dim->set_dim_value(extent);
    else
      dim->set_dim_param("open");
  }
  model.mutable_graph()->add_output()->set_name("y");
  return model;
}

template <typename Container>
onnx::NodeProto& add_node(Container& to, const std::string& type, std::initializer_list<const char*> inputs,
                          std::initializer_list<const char*> outputs) {
  onnx::NodeProto& node = *to.add_node();
  node.set_op_type(type);
  for (const char* name : inputs) node.add_input(name);
  for (const char* name : outputs) node.add_output(name);
  return node;
}

inline void add_integers(onnx::GraphProto& graph, const char* name, std::initializer_list<int64_t> values) {
  auto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  for (int64_t v : values) tensor.add_int64_data(v);
}

inline onnx::AttributeProto& add_attribute(onnx::NodeProto& node, const char* name,
                                           onnx::AttributeProto::AttributeType type) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

inline void add_integer_list(onnx::NodeProto& node, const char* name, std::initializer_list<int64_t> values) {
  auto& attribute = add_attribute(node, name, onnx::AttributeProto::INTS);
  for (int64_t v : values) attribute.add_ints(v);
}

/// Adds y = a loop over x without a condition (`count`: "" for one without end); returns its body, which reads the
/// state v, with `on` passed on and `result` as the next state still to be made.
inline onnx::GraphProto& add_loop(onnx::GraphProto& graph, const char* count, const char* result) {
  auto& body =
      *add_attribute(add_node(graph, "Loop", {count, "", "x"}, {"y"}), "body", onnx::AttributeProto::GRAPH).mutable_g();
  for (const char* name : {"i", "go", "v"}) body.add_input()->set_name(name);
  add_node(body, "Identity", {"go"}, {"on"});
  for (const char* name : {"on", result}) body.add_output()->set_name(name);
  return body;
}

/// Tests of models that are put together node by node.
class ModelProtoTest : public ::testing::Test {
 protected:
  /// Reads it through a file, as users do.
  OnnxModel read(const onnx::ModelProto& proto) const {
    const std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("graft_proto_" + std::to_string(::getpid()) + ".onnx");
    std::ofstream stream(path, std::ios::binary);
    proto.SerializeToOstream(&stream);
    stream.close();
    struct Remove {
      const std::filesystem::path& path;
      ~Remove() { std::filesystem::remove(path); }
    } remove{path};
    return read_model(path.string());
  }
  std::string error_of(const onnx::ModelProto& proto) const {
    try {
      read(proto);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  /// Output 0 for an input of ones.
  Tensor run(const onnx::ModelProto& proto, const OpenDims& dims = {1, 8, 8}) const { return run(read(proto), dims); }
  Tensor run(const OnnxModel& model, const OpenDims& dims) const {
    Plan plan = compile_inference(model.graph, dims, cpu_backend(), 2);
    if (plan.input_count() > 0) std::fill_n(plan.input(0).as<float>(), plan.input(0).shape.elements(), 1.0f);
    plan.forward();
    Tensor y(plan.output(0).dtype, plan.output(0).shape);
    copy_to_plain(plan.output(0), y.raw());
    return y;
  }
};

}  // namespace graft
