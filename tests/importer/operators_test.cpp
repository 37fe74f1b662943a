#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "importer/reader.h"
#include "importer/writer.h"
#include "runtime/core/random.h"
#include "runtime/ops/attention.h"
#include "runtime/ops/einsum.h"
#include "runtime/ops/gather_nd.h"
#include "runtime/ops/lp_normalise.h"
#include "runtime/ops/trilu.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

/// A model of one operator whose first inputs are the graph's, with an open batch; constants follow.
OnnxModel model_of(OperatorPtr op, const std::vector<Shape>& inputs, std::vector<Tensor> constants = {}) {
  OnnxModel model;
  std::vector<ValueId> ids;
  for (const Shape& shape : inputs)
    ids.push_back(model.graph.add_input("x" + std::to_string(ids.size()), DType::f32, shape));
  for (Tensor& tensor : constants)
    ids.push_back(model.graph.add_constant("c" + std::to_string(ids.size()), std::move(tensor)));
  model.graph.outputs = {model.graph.add("node", std::move(op), ids)};
  for (ValueId id : model.graph.inputs) model.graph.value(id).shape[0] = kOpenDim;
  return model;
}

/// The output for two samples of random numbers.
Tensor run(const OnnxModel& model) {
  Plan plan = compile_inference(model.graph, {.batch = 2}, test_backend());
  Random random(7);
  for (size_t i = 0; i < plan.input_count(); ++i) {
    Tensor x(DType::f32, plan.input(i).shape);
    for (float& v : x.data<float>()) v = random.uniform(-1, 1);
    copy_from_plain(x.raw(), plan.input(i));
  }
  plan.forward();
  Tensor y(DType::f32, plan.output(0).shape);
  copy_to_plain(plan.output(0), y.raw());
  return y;
}

/// Written and read again, the model computes the same. Returns the nodes' types.
std::vector<std::string> round_trip(const OnnxModel& model) {
  const std::string path =
      (fs::temp_directory_path() /
       ("graft_operators_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + ".onnx"))
          .string();
  write_model(model, path);
  const OnnxModel back = read_model(path);
  fs::remove(path);
  const Tensor expected = run(model), actual = run(back);
  EXPECT_EQ(actual.shape(), expected.shape());
  for (size_t i = 0; i < static_cast<size_t>(std::min(actual.elements(), expected.elements())); ++i)
    EXPECT_NEAR(actual.data<float>()[i], expected.data<float>()[i], 1e-6f) << "at " << i;
  std::vector<std::string> types;
  for (const Node& node : back.graph.nodes) types.emplace_back(node.op->type());
  return types;
}

using Types = std::vector<std::string>;

TEST(RoundTrip, Trilu) {
  auto op = std::make_shared<Trilu>();
  op->upper = false;
  std::vector<Tensor> k;
  k.push_back(Tensor::of<int64_t>({}, {1}));
  EXPECT_EQ(round_trip(model_of(op, {{1, 2, 3, 4}}, std::move(k))), Types{"Trilu"});
}

TEST(RoundTrip, GatherND) {
  std::vector<Tensor> indices;
  indices.push_back(Tensor::of<int64_t>({2, 1}, {1, 0}));
  OnnxModel model = model_of(std::make_shared<GatherND>(), {{2, 3}}, std::move(indices));
  EXPECT_EQ(round_trip(model), Types{"GatherND"});
}

TEST(RoundTrip, LpNormalization) {
  auto op = std::make_shared<LpNormalise>();
  op->p = 1;
  op->axis = 1;
  EXPECT_EQ(round_trip(model_of(op, {{1, 3, 2}})), Types{"LpNormalization"});
}

TEST(RoundTrip, Einsum) {
  auto op = std::make_shared<Einsum>();
  op->equation = "nij,nkj->nik";
  EXPECT_EQ(round_trip(model_of(op, {{1, 2, 3}, {1, 4, 3}})), Types{"Einsum"});
}

/// Opset 17 has no Attention: it is written as what it stands for, for any batch.
TEST(RoundTrip, AttentionIsSpelledOut) {
  Attention op;
  op.causal = true;
  op.softcap = 0.5f;
  const Types pictures =
      round_trip(model_of(std::make_shared<Attention>(op), {{1, 4, 3, 2}, {1, 2, 3, 2}, {1, 2, 3, 5}}));
  EXPECT_EQ(std::count(pictures.begin(), pictures.end(), "MatMul"), 2);
  EXPECT_EQ(std::count(pictures.begin(), pictures.end(), "Attention"), 0);
  op.heads = 4;
  op.key_heads = 2;
  const Types side_by_side =  // with a mask for each sample
      round_trip(model_of(std::make_shared<Attention>(op), {{1, 3, 8}, {1, 3, 4}, {1, 3, 6}, {1, 4, 3, 3}}));
  EXPECT_EQ(std::count(side_by_side.begin(), side_by_side.end(), "Softmax"), 1);
}

}  // namespace
}  // namespace graft
