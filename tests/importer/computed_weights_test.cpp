#include "tests/importer/model_proto.h"

namespace graft {
namespace {

class ComputedWeights : public ModelProtoTest {
 protected:
  static void add_floats(onnx::GraphProto& graph, const char* name, std::initializer_list<int64_t> dims, float value) {
    auto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    int64_t count = 1;
    for (const int64_t d : dims) {
      tensor.add_dims(d);
      count *= d;
    }
    for (int64_t i = 0; i < count; ++i) tensor.add_float_data(value);
  }
};

/// kernel_shape may be left out: it follows from the weight, be that the result of nodes.
TEST_F(ComputedWeights, ConvolutionsFindTheirKernel) {
  for (const char* type : {"Conv", "ConvTranspose"}) {
    onnx::ModelProto proto = empty_model({1, 2, 4, 4});
    auto& graph = *proto.mutable_graph();
    add_floats(graph, "w", {2, 2, 3, 3}, 0.5f);
    add_floats(graph, "two", {1}, 2);
    add_node(graph, "Mul", {"w", "two"}, {"scaled"});
    add_node(graph, type, {"x", "scaled"}, {"y"});
    const Tensor y = run(proto, {1, 4, 4});
    const bool shrinks = std::string(type) == "Conv";
    EXPECT_EQ(y.shape().str(), (shrinks ? Shape{1, 2, 2, 2} : Shape{1, 2, 6, 6}).str());
    EXPECT_EQ(y.data<float>()[shrinks ? 0 : 14], 18);  // 2 channels of 9 ones, where the window lies within
  }
}

TEST_F(ComputedWeights, SayWhatIsMissingWhereTheyDependOnThePicture) {
  onnx::ModelProto proto = empty_model({1, 2, -1, -1});
  add_node(*proto.mutable_graph(), "Relu", {"x"}, {"w"});
  add_node(*proto.mutable_graph(), "Conv", {"x", "w"}, {"y"});
  EXPECT_NE(error_of(proto).find("its weight depends on the data, and kernel_shape is not given"), std::string::npos);
}

/// ONNX Runtime and onnx.reference reduce each element by itself.
TEST_F(ComputedWeights, ReducingOverNoAxisIsElementWise) {
  onnx::ModelProto proto = empty_model({1, 2});
  auto& graph = *proto.mutable_graph();
  add_floats(graph, "minus", {1}, -3);
  add_node(graph, "Mul", {"x", "minus"}, {"z"});
  auto& node = add_node(graph, "ReduceL2", {"z"}, {"y"});
  add_attribute(node, "noop_with_empty_axes", onnx::AttributeProto::INT).set_i(1);
  const Tensor y = run(proto, {1, 1, 1});
  EXPECT_EQ(y.shape().str(), Shape({1, 2}).str());
  EXPECT_EQ(y.data<float>()[0], 3);
}

}  // namespace
}  // namespace graft
