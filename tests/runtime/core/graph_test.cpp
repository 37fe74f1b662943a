#include "runtime/core/graph.h"

#include <cstring>
#include <limits>

#include "runtime/core/error.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/memory_planner.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

std::shared_ptr<Convolution> pointwise() {
  auto op = std::make_shared<Convolution>();
  return op;
}

TEST(FoldBatchNorm, GivesTheSameOutputs) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {2, 3, 4, 4});
  const ValueId w = g.add_constant("w", random_tensor({5, 3, 1, 1}, 1));
  const ValueId c = g.add("conv", pointwise(), {x, w});
  std::vector<ValueId> inputs{c};
  for (uint64_t i = 0; i < 4; ++i)
    inputs.push_back(g.add_constant("bn" + std::to_string(i), random_tensor({5}, 2 + i, 0.5f, 2)));
  g.outputs = {g.add("bn", std::make_shared<BatchNorm>(), inputs)};
  Graph folded = g;
  fold_batch_norm(folded);
  EXPECT_EQ(folded.nodes.size(), 1u);
  Plan plain(g, test_backend()), fused(folded, test_backend());
  const Tensor pixels = random_tensor({2, 3, 4, 4}, 9);
  for (Plan* p : {&plain, &fused}) {
    copy_from_plain(pixels.raw(), p->input(0));
    p->forward();
  }
  for (int64_t i = 0; i < 2 * 5 * 16; ++i)
    EXPECT_NEAR(plain.output(0).as<float>()[i], fused.output(0).as<float>()[i], 1e-5);
}

TEST(FoldBatchNorm, LeavesTrainableOnesAlone) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 3, 4, 4});
  const ValueId w = g.add_constant("w", random_tensor({5, 3, 1, 1}, 1));
  std::vector<ValueId> inputs{g.add("conv", pointwise(), {x, w})};
  for (uint64_t i = 0; i < 4; ++i)
    inputs.push_back(g.add_constant("bn" + std::to_string(i), random_tensor({5}, i, 0.5f, 2)));
  g.value(inputs[1]).trainable = true;
  g.outputs = {g.add("bn", std::make_shared<BatchNorm>(), inputs)};
  fold_batch_norm(g);
  EXPECT_EQ(g.nodes.size(), 2u);
}

TEST(FuseEpilogues, MovesAddAndReluIntoTheConvolution) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 3, 2, 2});
  const ValueId w = g.add_constant("w", random_tensor({3, 3, 1, 1}, 1));
  const ValueId c = g.add("conv", pointwise(), {x, w});
  g.outputs = {g.add("relu", make_unary(Unary::Kind::relu), {g.add("add", make_binary(Binary::Kind::add), {c, x})})};
  fuse_epilogues(g);
  ASSERT_EQ(g.nodes.size(), 1u);
  EXPECT_TRUE(g.nodes[0].op->epilogue()->residual);
  EXPECT_EQ(g.nodes[0].op->epilogue()->activation.kind, Activation::Kind::relu);
}

TEST(Specialise, FoldsShapeArithmeticIntoAReshape) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {kOpenDim, 2, 3});
  g.append_node("shape", std::make_shared<ShapeOf>(), {x}, {"shape"});
  const ValueId index = g.add_constant("zero", Tensor::of<int64_t>({1}, {0}));
  g.append_node("gather", std::make_shared<Gather>(), {g.find("shape"), index}, {"batch"});
  const ValueId rest = g.add_constant("rest", Tensor::of<int64_t>({1}, {-1}));
  auto concat = std::make_shared<Concat>();
  concat->axis = 0;
  g.append_node("concat", concat, {g.find("batch"), rest}, {"target"});
  g.append_node("reshape", std::make_shared<Reshape>(), {x, g.find("target")}, {"y"});
  g.outputs = {g.find("y")};
  const Graph closed = specialise(g, {4, 1, 1}, test_backend());
  EXPECT_EQ(closed.nodes.size(), 1u);
  EXPECT_EQ(closed.value(closed.outputs[0]).shape.str(), "4×6");
}

TEST(Differentiate, ComputesNothingBelowTheFreezeBoundary) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {2, 3, 4, 4});
  ValueId y = g.add("frozen", pointwise(), {x, g.add_constant("w0", random_tensor({3, 3, 1, 1}, 1))});
  const ValueId w1 = g.add_constant("w1", random_tensor({3, 3, 1, 1}, 2));
  g.value(w1).trainable = true;
  g.outputs = {g.add("trained", pointwise(), {y, w1})};
  const size_t forward = g.nodes.size();
  differentiate(g, {g.outputs[0]}, {w1});
  ASSERT_EQ(g.nodes.size(), forward + 1);
  EXPECT_EQ(g.nodes.back().op->type(), "ConvBackwardWeights");
}

TEST(SplitFrozen, CutsWhereTheFirstTrainableValueEnters) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 3, 4, 4});
  const ValueId y = g.add("frozen", pointwise(), {x, g.add_constant("w0", random_tensor({3, 3, 1, 1}, 1))});
  const ValueId w1 = g.add_constant("w1", random_tensor({3, 3, 1, 1}, 2));
  g.value(w1).trainable = true;
  g.outputs = {g.add("trained", pointwise(), {y, w1})};
  const FrozenSplit split = split_frozen(g);
  EXPECT_EQ(split.trunk.nodes.size(), 1u);
  EXPECT_EQ(split.rest.nodes.size(), 1u);
  EXPECT_EQ(split.rest.inputs, std::vector<ValueId>{y});
}

TEST(SplitFrozen, ExtentsAreWorkedOutOnBothSides) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 3, 4, 4});
  const ValueId y = g.add("frozen", pointwise(), {x, g.add_constant("w0", random_tensor({3, 3, 1, 1}, 1))});
  const ValueId shape = g.add("shape", std::make_shared<ShapeOf>(), {y});
  const ValueId w1 = g.add_constant("w1", random_tensor({3, 3, 1, 1}, 2));
  g.value(w1).trainable = true;
  const ValueId z = g.add("trained", pointwise(), {y, w1});
  g.append_node("reshaped", std::make_shared<Reshape>(), {z, shape}, {"r"});
  g.outputs = {g.find("r")};
  const FrozenSplit split = split_frozen(g);
  EXPECT_EQ(split.trunk.outputs, std::vector<ValueId>{y});  // not the shape, which has no row for each picture
  EXPECT_EQ(split.rest.inputs, std::vector<ValueId>{y});
  ASSERT_EQ(split.rest.nodes.size(), 3u);
  EXPECT_EQ(split.rest.nodes[0].name, "shape");
}

TEST(MemoryPlanner, LetsBlocksThatNeverMeetShareMemory) {
  std::vector<Block> blocks{{100, 0, 1}, {100, 2, 3}, {64, 1, 2}};
  EXPECT_EQ(lay_out(blocks), 128u + 64u);
  EXPECT_EQ(blocks[0].offset, blocks[1].offset);
}

TEST(Plan, RunsInPlaceOnlyWhereNobodyReadsTheInputLater) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {4});
  const ValueId a = g.add("neg", make_unary(Unary::Kind::neg), {x});
  const ValueId b = g.add("relu", make_unary(Unary::Kind::relu), {a});
  g.outputs = {g.add("sum", make_binary(Binary::Kind::add), {a, b})};
  Plan plan(g, test_backend());
  const float pixels[] = {-1, 2, -3, 4};
  plan.bind_input(0, pixels);
  plan.forward();
  const float expected[] = {2, -2, 6, -4};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(plan.output(0).as<float>()[i], expected[i]);
}

TEST(Plan, GivesTheSameBitsWithAnyNumberOfThreads) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {4, 16, 9, 9});
  const ValueId scale = g.add_constant("scale", random_tensor({16}, 1)),
                bias = g.add_constant("bias", random_tensor({16}, 2));
  g.outputs = {g.add_node("bn", std::make_shared<BatchNormTraining>(), {x, scale, bias})[0]};
  const Tensor pixels = random_tensor({4, 16, 9, 9}, 3);
  Plan one(g, test_backend(), 1), three(g, test_backend(), 3);
  for (Plan* p : {&one, &three}) {
    p->bind_input(0, pixels.raw());
    p->forward();
  }
  EXPECT_EQ(std::memcmp(one.output(0).data, three.output(0).data, pixels.bytes()), 0);
}

TEST(Error, CollectsItsPlacesFromTheInsideOut) {
  try {
    with_place([] { return std::string("model.onnx"); },
               [] { with_place([] { return std::string("node \"a\""); }, [] { throw Error("is odd", "mend it"); }); });
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "model.onnx: node \"a\": is odd: mend it");
  }
}

TEST(Tensor, RoundsHalvesToEvenAndKeepsSpecialValues) {
  const Given t = floats({5}, {1.0f, 65504.0f, -2.5f, 5.9604645e-8f, 1.00048828125f});
  const Tensor back = cast(cast(t, DType::f16), DType::f32);
  expect_floats(back, {5}, {1.0f, 65504.0f, -2.5f, 5.9604645e-8f, 1.0f}, 0);
  const Given huge = floats({1}, {1e6f});
  EXPECT_EQ(cast(cast(huge, DType::f16), DType::f32).data<float>()[0], std::numeric_limits<float>::infinity());
}

/// L = s₁·(w·x) + s₂·tanh(w·x): dL/dw = x·(s₁ + s₂·(1 - tanh²)).
TEST(Differentiate, AddsTheSlopesOfSeveralOutputs) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 1}), w = g.add_constant("w", Tensor::of<float>({1, 1}, {0.5f}));
  g.value(w).trainable = true;
  const ValueId y = g.add("y", make_binary(Binary::Kind::mul), {x, w});
  g.outputs = {y, g.add("t", make_unary(Unary::Kind::tanh), {y})};
  TrainingPlan training = compile_training(g, {1, 1, 1}, test_backend());
  ASSERT_EQ(training.scores, 2u);
  *training.plan.input(0).as<float>() = 2;
  *training.plan.input(training.first_seed).as<float>() = 3;
  *training.plan.input(training.first_seed + 1).as<float>() = 10;
  training.plan.forward();
  training.plan.backward();
  const float t = std::tanh(1.0f);
  EXPECT_FLOAT_EQ(*training.plan.output(0).as<float>(), 1);
  EXPECT_FLOAT_EQ(*training.plan.output(1).as<float>(), t);
  EXPECT_NEAR(*training.plan.output(training.gradients.at(0).second).as<float>(), 2 * (3 + 10 * (1 - t * t)), 1e-5);
}

}  // namespace
}  // namespace graft
