// Parameters that are not the weights of a layer: what a picture operator reads as its picture, and what the statistics
// of a batch norm are computed from.
#include <gtest/gtest.h>

#include "finetune/heads/freeze.h"
#include "finetune/training/gradcheck.h"
#include "finetune/training/parameters.h"
#include "runtime/core/strided_copy.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr reduced_mean(std::vector<int64_t> axes, bool keep) {
  auto op = std::make_shared<Reduce>();
  op->axes = std::move(axes);
  op->keep_dims = keep;
  return op;
}

ValueId reshaped(Graph& graph, const std::string& name, ValueId x, Shape shape) {
  auto op = std::make_shared<ReshapeTo>();
  op->target = std::move(shape);
  return graph.add(name, op, {x});
}

void expect_gradients(Graph graph, size_t parameters) {
  apply_freeze(graph, {"none", BatchNormPolicy::automatic}, {});
  const auto checks = GradientChecker(graph, {.batch = 2}, test_backend(), 1).check();
  EXPECT_EQ(checks.size(), parameters);
  for (const GradientCheck& c : checks) EXPECT_LT(c.relative_error, 2e-3) << c.parameter;
}

/// XCiT: a convolution of 1×1 over a position encoding, added to the pixels.
TEST(UnusualParameters, PositionEncodingThatAConvolutionReads) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 4, 3, 5});
  const ValueId encoding = graph.add_constant("encoding", random_tensor({1, 6, 3, 5}, 1));
  const ValueId projected = graph.add("projected", std::make_shared<Convolution>(),
                                      {encoding, graph.add_constant("w", random_tensor({4, 6, 1, 1}, 2))});
  graph.outputs = {graph.add("sum", make_binary(Binary::Kind::mul), {x, projected})};
  expect_gradients(graph, 2);

  apply_freeze(graph, {"none", BatchNormPolicy::automatic}, {});
  const TrainingPlan plan = compile_training(graph, {.batch = 2}, test_backend());
  ASSERT_EQ(plan.gradients.size(), 2u);
  for (const auto& [tensor, output] : plan.gradients) {
    const View gradient = plan.plan.output(output);
    EXPECT_TRUE(is_row_major(gradient.shape, gradient.strides)) << gradient.shape.str();
  }
}

/// NFNet: weights standardised by a batch norm over the filters, whose statistics are the filters' own.
TEST(UnusualParameters, WeightsThatABatchNormStandardises) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {kOpenDim, 2, 5, 4});
  const ValueId weights = graph.add_constant("w", random_tensor({3, 2, 3, 3}, 1));
  const ValueId filters = reshaped(graph, "filters", weights, {1, 3, 18});
  const ValueId mean = graph.add("mean", reduced_mean({0, 2}, true), {filters});
  const ValueId centred = graph.add("centred", make_binary(Binary::Kind::sub), {filters, mean});
  const ValueId square = graph.add("square", make_binary(Binary::Kind::mul), {centred, centred});
  auto norm = std::make_shared<BatchNorm>();
  norm->epsilon = 1e-3f;
  const ValueId standardised = graph.add(
      "norm", norm,
      {filters, graph.add_constant("gain", random_tensor({3}, 2)), graph.add_constant("bias", random_tensor({3}, 3)),
       graph.add("channel_mean", reduced_mean({0, 2}, false), {filters}),
       graph.add("variance", reduced_mean({0, 2}, false), {square})});
  auto convolution = std::make_shared<Convolution>();
  convolution->window.kernel = {3, 3};
  graph.outputs = {graph.add("conv", convolution, {x, reshaped(graph, "standardised", standardised, {3, 2, 3, 3})})};
  expect_gradients(graph, 3);
}

}  // namespace
}  // namespace graft
