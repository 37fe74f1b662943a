#include "importer/open_batch.h"

#include <gtest/gtest.h>

#include "importer/batch_statistics.h"
#include "importer/picture_form.h"
#include "runtime/ops/movement.h"
#include "tests/importer/model_proto.h"

namespace graft {
namespace {

class OpenBatchTest : public ModelProtoTest {
 protected:
  /// The output's shape for so many pictures of 8×8.
  std::string shape_for(const OnnxModel& model, int64_t batch) const { return run(model, {batch, 8, 8}).shape().str(); }
};

TEST_F(OpenBatchTest, TheBatchStaysBehindWhatStoodBeforeIt) {
  // Places first: 1×3×64 → 64×1×3 → 64×3 (the batch and the channels merged) and back.
  onnx::ModelProto model = empty_model({1, 3, 8, 8});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "flat", {1, 3, 64});
  add_integers(graph, "merged", {64, 3});
  add_integers(graph, "apart", {64, 1, 3});
  add_node(graph, "Reshape", {"x", "flat"}, {"rows"});
  add_integer_list(add_node(graph, "Transpose", {"rows"}, {"places"}), "perm", {2, 0, 1});
  add_node(graph, "Reshape", {"places", "merged"}, {"both"});
  add_node(graph, "Reshape", {"both", "apart"}, {"back"});
  auto& mean = add_node(graph, "ReduceMean", {"back"}, {"y"});
  add_integer_list(mean, "axes", {0});
  add_attribute(mean, "keepdims", onnx::AttributeProto::INT).set_i(0);
  const OnnxModel read_back = read(model);
  EXPECT_TRUE(read_back.batch_opened);
  for (const int64_t batch : {1, 2, 5}) EXPECT_EQ(shape_for(read_back, batch), Shape({batch, 3}).str());
}

TEST_F(OpenBatchTest, WhatMixesPicturesKeepsItsBatch) {
  // A softmax over the batch: its shapes follow any batch, its numbers do not.
  onnx::ModelProto model = empty_model({1, 3, 8, 8});
  auto& softmax = add_node(*model.mutable_graph(), "Softmax", {"x"}, {"y"});
  add_attribute(softmax, "axis", onnx::AttributeProto::INT).set_i(0);
  const OnnxModel read_back = read(model);
  EXPECT_EQ(read_back.declared_batch, 1);
  EXPECT_FALSE(read_back.batch_opened);
  EXPECT_EQ(read_back.graph.value(read_back.graph.inputs[0]).shape[0], 1);
}

TEST_F(OpenBatchTest, ABatchThatIsLostKeepsIt) {
  onnx::ModelProto model = empty_model({1, 3, 8, 8});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "zero", {0});
  add_node(graph, "Squeeze", {"x", "zero"}, {"y"});
  EXPECT_FALSE(read(model).batch_opened);
}

TEST_F(OpenBatchTest, WhatIsWrittenTakesAnyBatch) {
  onnx::ModelProto model = empty_model({1, 3, 8, 8});
  auto& graph = *model.mutable_graph();
  add_integers(graph, "flat", {1, 192});
  add_node(graph, "Reshape", {"x", "flat"}, {"rows"});
  auto& token = *graph.add_initializer();
  token.set_name("token");
  token.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t extent : {1, 8}) token.add_dims(extent);
  for (int i = 0; i < 8; ++i) token.add_float_data(0.5f);
  add_attribute(add_node(graph, "Concat", {"token", "rows"}, {"y"}), "axis", onnx::AttributeProto::INT).set_i(1);
  const OnnxModel opened = read(model);
  ASSERT_TRUE(opened.batch_opened);
  for (const int64_t batch : {1, 3}) EXPECT_EQ(shape_for(opened, batch), Shape({batch, 200}).str());
}

TEST_F(OpenBatchTest, ChannelsThatStandLastComeFirstAndAreWrittenAsTheyWere) {
  onnx::ModelProto proto = empty_model({-1, 8, 8, 3});
  auto& transpose = add_node(*proto.mutable_graph(), "Transpose", {"x"}, {"y"});
  add_integer_list(transpose, "perm", {0, 3, 1, 2});
  OnnxModel model = read(proto);
  take_picture_form(model);
  EXPECT_EQ(model.graph.value(model.graph.inputs[0]).shape.str(), "N×3×8×8");
  const Graph written = with_own_input(model.graph);
  EXPECT_EQ(written.value(written.inputs[0]).shape.str(), "N×8×8×3");
  EXPECT_EQ(written.nodes.size(), 1u);
}

TEST_F(OpenBatchTest, NormsOfWeightsTakeTheirOwnStatistics) {
  onnx::ModelProto proto = empty_model({-1, 2, 1, 1});
  auto& graph = *proto.mutable_graph();
  const auto add = [&](const char* name, std::initializer_list<int64_t> shape, std::initializer_list<float> values) {
    auto& tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (const int64_t extent : shape) tensor.add_dims(extent);
    for (const float v : values) tensor.add_float_data(v);
  };
  add("w", {1, 2, 4}, {1, 2, 3, 4, -2, 0, 2, 4});
  add("one", {2}, {1, 1});
  add("none", {2}, {0, 0});
  auto& norm = add_node(graph, "BatchNormalization", {"w", "one", "none", "none", "one"}, {"standard", "m", "v"});
  add_attribute(norm, "training_mode", onnx::AttributeProto::INT).set_i(1);
  add_integers(graph, "flat", {0, 2});
  add_node(graph, "Reshape", {"x", "flat"}, {"rows"});
  add_integers(graph, "matrix", {2, 4});
  add_node(graph, "Reshape", {"standard", "matrix"}, {"square"});
  add_node(graph, "MatMul", {"rows", "square"}, {"y"});
  const Tensor y = run(proto, {1, 1, 1});
  // Of ones: the sum of (-1.5, -0.5, 0.5, 1.5)/√1.25 and (-3, -1, 1, 3)/√5, which are alike.
  const float expected[] = {-2.68328f, -0.89443f, 0.89443f, 2.68328f};
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(y.data<float>()[i], expected[i], 1e-4);
}

}  // namespace
}  // namespace graft
