#include "finetune/heads/head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/heads/freeze.h"
#include "models/registry.h"
#include "runtime/core/error.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {
namespace {

ValueId global_pool(Graph& g, ValueId x) {
  auto pool = std::make_shared<Reduce>();
  pool->global_pool = true;
  return g.add("gap", pool, {x});
}

ValueId pointwise(Graph& g, const std::string& name, ValueId x, int64_t out) {
  const ValueId w = g.add_constant(name + ".w", Tensor::zeros(DType::f32, {out, g.value(x).shape[1], 1, 1})),
                b = g.add_constant(name + ".b", Tensor::zeros(DType::f32, {out}));
  return g.add(name, std::make_shared<Convolution>(), {x, w, b});
}

TEST(Head, ReplacesADenseClassifier) {
  Graph g = build_architecture("graft-small", {});
  const GraftedHead head = graft_head(g, {4, 1});
  EXPECT_EQ(head.replaced, "classifier");
  EXPECT_EQ(head.features, 96);
  EXPECT_EQ(g.value(g.outputs[0]).shape.str(), "1×4");
}

TEST(Head, DropsTheSoftmaxBehindTheClassifier) {
  Graph g = build_architecture("graft-small", {});
  g.outputs = {g.add("softmax", std::make_shared<Softmax>(), {g.outputs[0]})};
  EXPECT_EQ(graft_head(g, {4, 1}).replaced, "classifier");
  for (const Node& n : g.nodes) EXPECT_NE(n.op->type(), "Softmax");
}

TEST(Head, IsAddedWhereTheModelEndsInFeatures) {
  Graph g = build_architecture("graft-small", {});
  cut_head(g);
  const GraftedHead head = graft_head(g, {7, 1});
  EXPECT_EQ(head.replaced, "");
  EXPECT_EQ(head.features, 96);
}

TEST(Head, MayHaveAHiddenLayer) {
  Graph g = build_architecture("graft-small", {});
  const GraftedHead head = graft_head(g, {4, 1, false, parse_head("mlp:33")});
  EXPECT_EQ(head.parameters.size(), 4u);
  EXPECT_EQ(g.value(g.find(head.parameters[0])).shape.str(), "33×96");
  EXPECT_EQ(g.value(g.find(head.parameters[2])).shape.str(), "4×33");
  EXPECT_EQ(g.value(g.outputs[0]).shape.str(), "1×4");
}

/// A 1×1 convolution and an average are a linear head on the average.
TEST(Head, OfMapsScoresAsALinearOneDoes) {
  Graph linear = build_architecture("graft-small", {}), maps = linear;
  graft_head(linear, {4, 1});
  graft_head(maps, {4, 1, false, {"conv"}});
  Plan a = compile_inference(linear, {2, 64, 64}, test_backend()),
       b = compile_inference(maps, {2, 64, 64}, test_backend());
  for (int64_t i = 0; i < a.input(0).shape.elements(); ++i)
    a.input(0).as<float>()[i] = b.input(0).as<float>()[i] = static_cast<float>(i % 101) / 50 - 1;
  a.forward();
  b.forward();
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(a.output(0).as<float>()[i], b.output(0).as<float>()[i], 1e-5f);
}

TEST(Head, OfMapsNeedsMaps) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 8});
  g.outputs = {g.add("relu", make_unary(Unary::Kind::relu), {x})};
  EXPECT_THROW(graft_head(g, {4, 1, false, {"conv"}}), Error);
}

TEST(Head, BeginsAsItsInitialiserSays) {
  for (const auto& [kind, deviation] : {std::pair("gaussian:0.05", 0.05), std::pair("he", std::sqrt(2.0 / 96)),
                                        std::pair("xavier", std::sqrt(2.0 / (96 + 400)))}) {
    Graph g = build_architecture("graft-small", {});
    const GraftedHead head = graft_head(g, {400, 1, false, {"linear", {{"head-init", kind}}}});
    double square = 0;
    const auto weights = g.value(g.find(head.parameters[0])).constant->data<float>();
    for (float w : weights) square += static_cast<double>(w) * static_cast<double>(w);
    EXPECT_NEAR(std::sqrt(square / static_cast<double>(weights.size())), deviation, 0.03 * deviation);
    for (float b : g.value(g.find(head.parameters[1])).constant->data<float>()) EXPECT_EQ(b, 0);
  }
}

TEST(Head, AveragesMapsFirst) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 8, 6, 6});
  g.outputs = {g.add("relu", make_unary(Unary::Kind::relu), {x})};
  EXPECT_EQ(graft_head(g, {2, 1}).features, 8);
}

TEST(Head, ReplacesSqueezeNetsConvolution) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 16, 6, 6});
  const ValueId maps = g.add("relu", make_unary(Unary::Kind::relu), {pointwise(g, "final_conv", x, 1000)});
  g.outputs = {g.add("flatten", std::make_shared<Flatten>(), {global_pool(g, maps)})};
  const GraftedHead head = graft_head(g, {2, 1});
  EXPECT_EQ(head.replaced, "final_conv");
  EXPECT_EQ(head.features, 16);
}

TEST(Head, DoesNotTakeATrunksLastConvolutionForAClassifier) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 16, 6, 6});
  const ValueId maps = g.add("relu", make_unary(Unary::Kind::relu), {pointwise(g, "conv_last", x, 64)});
  g.outputs = {g.add("flatten", std::make_shared<Flatten>(), {global_pool(g, maps)})};
  const GraftedHead head = graft_head(g, {2, 1});
  EXPECT_EQ(head.replaced, "");
  EXPECT_EQ(head.features, 64);
}

TEST(Freeze, CountsEachPolicy) {
  Graph g = build_architecture("graft-small", {});
  const GraftedHead head = graft_head(g, {2, 1});
  const auto count = [&](const std::string& policy) {
    return apply_freeze(g, {policy, BatchNormPolicy::automatic}, head.parameters);
  };
  const FreezeResult all = count("all"), none = count("none"), last = count("last:1"),
                     matched = count("match:^stage|^stem"), until = count("until:stage2.block2.relu2");
  EXPECT_EQ(all.trainable_parameters, 96 * 2 + 2);
  EXPECT_EQ(none.frozen_parameters, 0);
  EXPECT_EQ(last.trainable_parameters, 96 * 2 + 2 + 96 * 96 * 9);
  EXPECT_EQ(matched.trainable_parameters, all.trainable_parameters);
  EXPECT_GT(until.trainable_parameters, last.trainable_parameters);
  EXPECT_LT(until.trainable_parameters, none.trainable_parameters);
}

TEST(Freeze, RefusesWhatItDoesNotKnow) {
  Graph g = build_architecture("graft-small", {});
  for (const std::string policy : {"some", "until:nowhere", "last:0", "last:x", "match:("})
    EXPECT_THROW(apply_freeze(g, {policy, BatchNormPolicy::automatic}, {}), Error) << policy;
}

TEST(Head, GivesAuxiliaryOutputsNewHeadsOfTheirOwn) {
  ArchitectureOptions options;
  options.auxiliary = true;
  options.initialise = false;
  Graph kept = build_architecture("googlenet", options), dropped = kept;
  const GraftedHead with = graft_head(kept, {4, 1, true}), without = graft_head(dropped, {4, 1});
  ASSERT_EQ(kept.outputs.size(), 3u);
  for (ValueId id : kept.outputs) EXPECT_EQ(kept.value(id).shape.str(), "1×4");
  EXPECT_EQ(with.parameters.size(), 6u);
  EXPECT_EQ(dropped.outputs.size(), 1u);
  EXPECT_EQ(without.parameters.size(), 2u);
}

}  // namespace
}  // namespace graft
