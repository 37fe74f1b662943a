#include "finetune/heads/head.h"

#include <gtest/gtest.h>

#include <cmath>

#include "finetune/heads/freeze.h"
#include "models/registry.h"
#include "runtime/core/error.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/conv_transpose.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/einsum.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
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
  EXPECT_EQ(head.replaced, std::vector<std::string>{"classifier"});
  EXPECT_EQ(head.features, 96);
  EXPECT_EQ(g.value(g.outputs[0]).shape.str(), "1×4");
}

TEST(Head, DropsTheSoftmaxBehindTheClassifier) {
  Graph g = build_architecture("graft-small", {});
  g.outputs = {g.add("softmax", std::make_shared<Softmax>(), {g.outputs[0]})};
  EXPECT_EQ(graft_head(g, {4, 1}).replaced, std::vector<std::string>{"classifier"});
  for (const Node& n : g.nodes) EXPECT_NE(n.op->type(), "Softmax");
}

TEST(Head, DropsWhatMakesOtherNumbersOfTheScores) {
  const auto cast = std::make_shared<Cast>();
  cast->to = DType::f64;
  Graph g = build_architecture("graft-small", {});
  const ValueId ten = g.add_constant("ten", Tensor::of<float>({}, {10}));
  const ValueId scaled = g.add("scaled", make_binary(Binary::Kind::mul), {ten, g.outputs[0]});
  const ValueId clipped = g.add("clipped", make_unary(Unary::Kind::clip, -50, 50), {scaled});
  const ValueId sigmoid = g.add("sigmoid", make_unary(Unary::Kind::sigmoid), {clipped});
  const auto back = std::make_shared<Cast>();
  g.outputs = {g.add("back", back, {g.add("cast", cast, {sigmoid})})};
  const GraftedHead head = graft_head(g, {4, 1});
  EXPECT_EQ(head.replaced, std::vector<std::string>{"classifier"});
  EXPECT_EQ(head.features, 96);
}

TEST(Head, AClipFromZeroIsAnActivation) {
  Graph g = build_architecture("graft-small", {});
  g.outputs = {g.add("relu6", make_unary(Unary::Kind::clip, 0, 6), {g.outputs[0]})};
  EXPECT_TRUE(graft_head(g, {4, 1}).replaced.empty());
}

TEST(Head, ReplacesAConvolutionWithoutBiasOnPooledFeatures) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 16, 6, 6});
  const ValueId w = g.add_constant("w", Tensor::zeros(DType::f32, {10, 16, 1, 1}));
  const ValueId scores = g.add("fc", std::make_shared<Convolution>(), {global_pool(g, x), w});
  g.outputs = {g.add("flatten", std::make_shared<Flatten>(), {scores})};
  const GraftedHead head = graft_head(g, {2, 1});
  EXPECT_EQ(head.replaced, std::vector<std::string>{"fc"});
  EXPECT_EQ(head.features, 16);
}

TEST(Head, IsAddedWhereTheModelEndsInFeatures) {
  Graph g = build_architecture("graft-small", {});
  cut_head(g);
  const GraftedHead head = graft_head(g, {7, 1});
  EXPECT_TRUE(head.replaced.empty());
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
  EXPECT_EQ(head.replaced, std::vector<std::string>{"final_conv"});
  EXPECT_EQ(head.features, 16);
}

TEST(Head, DoesNotTakeATrunksLastConvolutionForAClassifier) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 16, 6, 6});
  const ValueId maps = g.add("relu", make_unary(Unary::Kind::relu), {pointwise(g, "conv_last", x, 64)});
  g.outputs = {g.add("flatten", std::make_shared<Flatten>(), {global_pool(g, maps)})};
  const GraftedHead head = graft_head(g, {2, 1});
  EXPECT_TRUE(head.replaced.empty());
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

/// Tokens of a picture with a class token, places and a masked attention: what people call a network's parameters.
TEST(Freeze, CountsWhatTransformersLearn) {
  Graph g;
  const auto constant = [&](const char* name, Shape shape, float value) {
    Tensor t = Tensor::zeros(DType::f32, std::move(shape));
    for (float& v : t.data<float>()) v = value;
    return g.add_constant(name, std::move(t));
  };
  const auto add = [&](const char* name, ValueId a, ValueId b) {
    return g.add(name, make_binary(Binary::Kind::add), {a, b});
  };
  const ValueId x = g.add_input("x", DType::f32, {1, 3, 8, 8});
  const ValueId moved = add("preprocessing", x, constant("mean", {3, 1, 1}, -0.5f));
  auto patch = std::make_shared<Convolution>();
  patch->window.kernel = patch->window.stride = {4, 4};
  const ValueId maps =
      g.add("patch", patch, {moved, constant("patch.w", {8, 3, 4, 4}, 0), constant("patch.b", {8}, 0)});
  auto rows = std::make_shared<ReshapeTo>();
  rows->target = {1, 8, 4};
  auto turn = std::make_shared<Transpose>();
  turn->permutation = {0, 2, 1};
  const ValueId tokens = g.add("turn", turn, {g.add("rows", rows, {maps})});
  auto expand = std::make_shared<Expand>();
  const ValueId shape = g.add_constant("shape", Tensor::of<int64_t>({3}, {1, 1, 8}));
  const ValueId token = g.add("expand", expand, {constant("cls", {1, 1, 8}, 0), shape});
  const ValueId placed =
      add("place", g.add("join", std::make_shared<Concat>(), {token, tokens}), constant("places", {1, 5, 8}, 0));
  auto norm = std::make_shared<Normalise>();
  norm->over = Normalise::Over::layer;
  norm->axis = -1;
  const ValueId normed = g.add_node("norm", norm, {placed, constant("norm.w", {8}, 1), constant("norm.b", {8}, 0)})[0];
  const ValueId across = g.add("across", turn, {normed});
  const ValueId scores = g.add("scores", std::make_shared<MatMul>(), {normed, across});
  Tensor blocked = Tensor::zeros(DType::f32, {1, 5, 5});
  blocked.data<float>()[3] = -100;
  const ValueId masked = add("masked", scores, g.add_constant("mask", std::move(blocked)));
  const ValueId halved = g.add("halved", make_binary(Binary::Kind::mul), {masked, constant("half", {}, 0.5f)});
  const ValueId attended = g.add("attended", std::make_shared<MatMul>(), {halved, normed});
  const ValueId projected = g.add("project", std::make_shared<MatMul>(), {attended, constant("project.w", {8, 8}, 0)});
  const ValueId gained = g.add("gain", make_binary(Binary::Kind::mul), {projected, constant("gamma", {8}, 1)});
  g.outputs = {add("residual", placed, gained)};
  const FreezeResult none = apply_freeze(g, {"none", BatchNormPolicy::automatic}, {}),
                     all = apply_freeze(g, {"all", BatchNormPolicy::automatic}, {});
  constexpr int64_t kParameters = 8 * 3 * 16 + 8 + 8 + 5 * 8 + 16 + 64 + 8;
  EXPECT_EQ(none.trainable_parameters, kParameters);
  EXPECT_EQ(none.frozen_parameters, 0);
  EXPECT_EQ(all.trainable_parameters, 0);
  EXPECT_EQ(all.frozen_parameters, kParameters);
  apply_freeze(g, {"none", BatchNormPolicy::automatic}, {});
  for (const char* name : {"mean", "mask", "half", "shape"}) EXPECT_FALSE(g.value(g.find(name)).trainable) << name;
  EXPECT_EQ(layers_below_head(g, {}), 2);
}

/// Weights that are no dense layer's or convolution's own input: a part of a matrix whose bounds follow from the
/// picture's extents, as torch.nn.MultiheadAttention is exported with an open batch, an Einsum's and a transposed
/// convolution's.
TEST(Freeze, FindsWeightsOfOtherForms) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 4, 2, 2});
  auto deconvolution = std::make_shared<ConvTranspose>();
  deconvolution->window.kernel = {2, 2};
  const ValueId wide =
      g.add("wide", deconvolution, {x, g.add_constant("up.w", Tensor::zeros(DType::f32, {4, 4, 2, 2}))});
  auto axes = std::make_shared<Flatten>();
  const ValueId row = g.add("row", axes, {wide});
  auto equation = std::make_shared<Einsum>();
  equation->equation = "nk,km->nm";
  const ValueId mixed = g.add("mixed", equation, {row, g.add_constant("mix.w", Tensor::zeros(DType::f32, {36, 6}))});
  auto extent = std::make_shared<ShapeOf>();
  extent->start = 1;
  const ValueId six = g.add("six", extent, {mixed});
  const ValueId zero = g.add_constant("zero", Tensor::of<int64_t>({1}, {0}));
  const ValueId part = g.add_node(
      "part", std::make_shared<Slice>(),
      {g.add_constant("all.w", Tensor::zeros(DType::f32, {6, 18})), zero,
       g.add_constant("end", Tensor::of<int64_t>({1}, {6})), g.add_constant("axis", Tensor::of<int64_t>({1}, {1}))})[0];
  g.nodes.back().inputs[2] = six;
  g.outputs = {g.add("product", std::make_shared<MatMul>(), {mixed, part})};
  const FreezeResult none = apply_freeze(g, {"none", BatchNormPolicy::automatic}, {});
  for (const char* name : {"up.w", "mix.w", "all.w"}) EXPECT_TRUE(g.value(g.find(name)).trainable) << name;
  EXPECT_EQ(none.trainable_parameters, 64 + 216 + 108);
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
