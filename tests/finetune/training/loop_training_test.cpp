// Layers that a loop repeats are trained like any others: the slope is the sum over all iterations.
#include <gtest/gtest.h>

#include <set>

#include "finetune/heads/freeze.h"
#include "finetune/training/gradcheck.h"
#include "finetune/training/parameters.h"
#include "runtime/core/random.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/loop.h"
#include "runtime/ops/unary.h"
#include "runtime/passes/resolve_control_flow.h"
#include "tests/backend.h"

namespace graft {
namespace {

/// y = x after `trips` times tanh(conv(·)), always the same convolution.
Graph repeated_layer(int64_t trips) {
  auto loop = std::make_shared<Loop>();
  loop->carried = 1;
  Graph& body = loop->body;
  body.add_input("iteration", DType::i64, {});
  const ValueId condition = body.add_input("condition", DType::boolean, {});
  const ValueId before = body.add_input("before", DType::f32, {});
  const ValueId w = body.add_input("w", DType::f32, {}), b = body.add_input("b", DType::f32, {});
  auto convolution = std::make_shared<Convolution>();
  convolution->window.kernel = {3, 3};
  convolution->window.padding = {1, 1, 1, 1};
  body.append_node("conv", convolution, {before, w, b}, {"sum"});
  body.append_node("tanh", make_unary(Unary::Kind::tanh), {body.find("sum")}, {"after"});
  body.outputs = {condition, body.find("after")};

  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 2, 4, 4});
  const ValueId count = graph.add_constant("count", Tensor::of<int64_t>({}, {trips}));
  Tensor weights(DType::f32, {2, 2, 3, 3}), bias(DType::f32, {2});
  Random random(3);
  for (float& v : weights.data<float>()) v = 0.3f * random.normal();
  for (float& v : bias.data<float>()) v = 0.3f * random.normal();
  const ValueId weight_id = graph.add_constant("weights", std::move(weights)),
                bias_id = graph.add_constant("bias", std::move(bias));
  graph.append_node("loop", loop, {count, kNoValue, x, weight_id, bias_id}, {"y"});
  graph.outputs = {graph.find("y")};
  return graph;
}

TEST(LoopTraining, FreezingSeesTheLayersInside) {
  Graph graph = repeated_layer(2);
  EXPECT_EQ(apply_freeze(graph, {"none", BatchNormPolicy::automatic}, {}).trainable_parameters, 2 * 2 * 9 + 2);
  EXPECT_EQ(apply_freeze(graph, {"all", BatchNormPolicy::automatic}, {}).frozen_parameters, 2 * 2 * 9 + 2);
  EXPECT_EQ(apply_freeze(graph, {"last:1", BatchNormPolicy::automatic}, {}).trainable_parameters, 2 * 2 * 9 + 2);
}

TEST(LoopTraining, IterationsDropOtherElements) {
  Graph graph = repeated_layer(3);
  auto dropped = std::make_shared<Loop>(dynamic_cast<const Loop&>(*graph.nodes[0].op));
  auto dropout = std::make_shared<Dropout>();
  dropout->stream = 7;
  dropped->body.append_node("drop", dropout, {dropped->body.outputs[1]}, {"dropped"});
  dropped->body.outputs[1] = dropped->body.find("dropped");
  graph.nodes[0].op = dropped;
  std::set<uint32_t> streams;
  for (const Node& node : resolve_control_flow(graph, {.batch = 1}, test_backend()).nodes)
    if (const auto* drop = dynamic_cast<const Dropout*>(node.op.get())) streams.insert(drop->stream);
  EXPECT_EQ(streams.size(), 3u);
}

TEST(LoopTraining, LayersBelowALoopAreOneLayerBelowIt) {
  Graph graph = repeated_layer(5);
  apply_freeze(graph, {"none", BatchNormPolicy::automatic}, {});
  const Graph resolved = resolve_control_flow(graph, {.batch = 1}, test_backend());
  const TrainingPlan plan = compile_training(resolved, {.batch = 1}, test_backend());
  TrainOptions options;
  options.rate.layer_decay = 0.5f;
  options.rate.trunk_scale = 1;
  for (const Parameter& p : trained_parameters(resolved, plan, constant_names(resolved), {}, options, 0))
    EXPECT_EQ(p.lr_scale, 1) << p.name << ", which the last layer shares";
}

TEST(LoopTraining, GradientsAgreeWithSlopes) {
  for (const int64_t trips : {1, 2, 3, 4}) {
    Graph graph = repeated_layer(trips);
    apply_freeze(graph, {"none", BatchNormPolicy::automatic}, {});
    const auto checks = GradientChecker(graph, {.batch = 3}, test_backend(), 1).check();
    EXPECT_EQ(checks.size(), 2u);
    for (const GradientCheck& c : checks) EXPECT_LT(c.relative_error, 2e-3) << c.parameter << " after " << trips;
  }
}

}  // namespace
}  // namespace graft
