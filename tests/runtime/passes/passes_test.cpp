#include "runtime/passes/passes.h"

#include <algorithm>
#include <map>

#include "runtime/ops/binary.h"
#include "runtime/ops/dropout.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/pixel_rows.h"
#include "runtime/ops/unary.h"
#include "tests/backend.h"
#include "tests/runtime/graph_results.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

using B = Binary::Kind;
using U = Unary::Kind;

ValueId number(Graph& graph, const std::string& name, float value) {
  return graph.add_constant(name, Tensor::of<float>({}, {value}));
}

TEST(RecogniseFunctions, FindsGatesOfSigmoids) {
  for (const U kind : {U::sigmoid, U::hard_sigmoid}) {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::f32, {2, 5});
    const ValueId gate =
        graph.add("gate", kind == U::sigmoid ? make_unary(kind) : make_unary(kind, 1.0f / 6, 0.5f), {x});
    graph.outputs = {graph.add("product", make_binary(B::mul), {x, gate})};
    Graph after = graph;
    recognise_functions(after);
    EXPECT_EQ(types(after), std::vector<std::string>{kind == U::sigmoid ? "Swish" : "HardSwish"});
    expect_unchanged(graph, after, random_tensor({2, 5}, 3, -4, 4));
  }
}

TEST(RecogniseFunctions, LeavesAGateThatOthersRead) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 5}), gate = graph.add("gate", make_unary(U::sigmoid), {x});
  graph.outputs = {graph.add("product", make_binary(B::mul), {x, gate}), gate};
  recognise_functions(graph);
  EXPECT_EQ(types(graph), (std::vector<std::string>{"Sigmoid", "Mul"}));
}

TEST(RecogniseFunctions, FindsGeluWithItsHalfBeforeOrAfter) {
  for (const bool before : {false, true}) {
    Graph graph;
    const ValueId x = graph.add_input("x", DType::f32, {2, 5});
    const ValueId scaled = graph.add("scaled", make_binary(B::div), {x, number(graph, "root", std::sqrt(2.0f))});
    const ValueId erf = graph.add("erf", make_unary(U::erf), {scaled});
    const ValueId raised = graph.add("raised", make_binary(B::add), {erf, number(graph, "one", 1)});
    const ValueId half = number(graph, "half", 0.5f);
    if (before) {
      graph.outputs = {
          graph.add("y", make_binary(B::mul), {graph.add("half_x", make_binary(B::mul), {x, half}), raised})};
    } else {
      graph.outputs = {
          graph.add("y", make_binary(B::mul), {graph.add("times", make_binary(B::mul), {x, raised}), half})};
    }
    Graph after = graph;
    recognise_functions(after);
    EXPECT_EQ(types(after), std::vector<std::string>{"Gelu"});
    expect_unchanged(graph, after, random_tensor({2, 5}, 3, -4, 4));
  }
}

/// ConvNeXt's block between its transpositions.
Graph island() {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 4, 3, 5});
  const ValueId last = graph.add("last", transposed({0, 2, 3, 1}), {x});
  const ValueId scale = graph.add_constant("scale", random_tensor({4}, 1)),
                bias = graph.add_constant("bias", random_tensor({4}, 2));
  const ValueId normal = graph.add_node("norm", std::make_shared<Normalise>(), {last, scale, bias}, {"normal"})[0];
  const ValueId wide =
      graph.add("wide", std::make_shared<MatMul>(), {normal, graph.add_constant("w", random_tensor({4, 6}, 3))});
  const ValueId moved = graph.add("moved", make_binary(B::add), {wide, graph.add_constant("b", random_tensor({6}, 4))});
  const ValueId bent = graph.add("bent", make_unary(U::gelu), {moved});
  graph.outputs = {graph.add("first", transposed({0, 3, 1, 2}), {bent})};
  return graph;
}

TEST(ChannelsAsRows, TranspositionsVanish) {
  const Graph graph = island();
  Graph after = graph;
  channels_as_rows(after);
  EXPECT_EQ(types(after),
            (std::vector<std::string>{"PixelsToRows", "LayerNormalization", "MatMul", "Add", "Gelu", "RowsToPixels"}));
  expect_unchanged(graph, after, random_tensor({2, 4, 3, 5}, 9));
}

TEST(ChannelsAsRows, GradientsGoThroughBothWays) {
  expect_gradients(std::make_shared<PixelsToRows>(), {random_tensor({2, 4, 3, 5}, 1)}, {true});
  auto back = std::make_shared<RowsToPixels>();
  back->picture = {2, 4, 3, 5};
  expect_gradients(back, {random_tensor({30, 4}, 1)}, {true});
}

TEST(ChannelsAsRows, LeavesWhatLooksAlongThePicture) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 4, 3, 5});
  const ValueId last = graph.add("last", transposed({0, 2, 3, 1}), {x});
  const ValueId row = graph.add_constant("row", random_tensor({3, 1, 1}, 1));
  const ValueId sum = graph.add("sum", make_binary(B::add), {last, row});
  graph.outputs = {graph.add("first", transposed({0, 3, 1, 2}), {sum})};
  Graph after = graph;
  channels_as_rows(after);
  EXPECT_EQ(types(after), (std::vector<std::string>{"Transpose", "Add", "Transpose"}));
  expect_unchanged(graph, after, random_tensor({2, 4, 3, 5}, 9));
}

/// A number a channel and picture would stretch over the wrong rows.
TEST(ChannelsAsRows, LeavesOperandsOfOtherPictureSizes) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 4, 3, 5});
  const ValueId gate = graph.add_constant("gate", random_tensor({2, 4, 1, 1}, 1));
  const ValueId last = graph.add("last", transposed({0, 2, 3, 1}), {x});
  const ValueId gate_last = graph.add("gate_last", transposed({0, 2, 3, 1}), {gate});
  const ValueId product = graph.add("product", make_binary(B::mul), {last, gate_last});
  graph.outputs = {graph.add("first", transposed({0, 3, 1, 2}), {product})};
  Graph after = graph;
  channels_as_rows(after);
  EXPECT_EQ(types(after), (std::vector<std::string>{"Transpose", "Transpose", "Mul", "Transpose"}));
  expect_unchanged(graph, after, random_tensor({2, 4, 3, 5}, 9));
}

/// A row is one pixel: drawing for each would drop pixels where samples are meant.
TEST(ChannelsAsRows, LeavesStochasticDepth) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {2, 4, 3, 5});
  auto depth = std::make_shared<Dropout>();
  depth->whole_samples = true;
  const ValueId dropped = graph.add("depth", depth, {graph.add("last", transposed({0, 2, 3, 1}), {x})});
  graph.outputs = {graph.add("first", transposed({0, 3, 1, 2}), {dropped})};
  channels_as_rows(graph);
  EXPECT_EQ(types(graph), (std::vector<std::string>{"Transpose", "Dropout", "Transpose"}));
}

/// A block of a transformer's MLP on B×N×C, with the residual around it and something behind it that is no row's
/// affair.
Graph tokens(int64_t batch) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {batch, 5, 16});
  const ValueId place = graph.add_constant("place", random_tensor({1, 5, 16}, 1));
  const ValueId in = graph.add("in", make_binary(B::add), {x, place});
  const auto dense = [&](const std::string& name, ValueId from, uint64_t key) {
    const ValueId weight = graph.add_constant(name + ".weight", random_tensor({16, 16}, key));
    const ValueId bias = graph.add_constant(name + ".bias", random_tensor({16}, key + 1));
    return graph.add(name + ".sum", make_binary(B::add),
                     {graph.add(name, std::make_shared<MatMul>(), {from, weight}), bias});
  };
  auto norm = std::make_shared<Normalise>();
  norm->over = Normalise::Over::layer;
  norm->axis = -1;
  const ValueId scale = graph.add_constant("scale", random_tensor({16}, 7)),
                shift = graph.add_constant("shift", random_tensor({16}, 8));
  const ValueId normed = graph.add_node("norm", norm, {in, scale, shift})[0];
  const ValueId hidden = graph.add("act", make_unary(U::gelu), {dense("fc1", normed, 2)});
  const ValueId sum = graph.add("residual", make_binary(B::add), {dense("fc2", hidden, 4), in});
  const ValueId again = graph.add_node("norm2", norm, {sum, scale, shift})[0];
  graph.outputs = {graph.add("across", transposed({0, 2, 1}), {again})};
  return graph;
}

TEST(ChannelsAsRows, DenseLayersOnTokensAreOnesOnRows) {
  for (const int64_t batch : {1, 3}) {  // of one, the places have the tokens' shape
    const Graph graph = tokens(batch);
    Graph after = graph;
    channels_as_rows(after);
    canonicalise_dense(after);
    fuse_epilogues(after);
    const std::vector<std::string> found = types(after);
    EXPECT_EQ(std::count(found.begin(), found.end(), "Gemm"), 2);
    EXPECT_EQ(std::count(found.begin(), found.end(), "MatMul"), 0);
    EXPECT_EQ(std::count(found.begin(), found.end(), "Add"), 1) << "biases and the residual belong to the products";
    expect_unchanged(graph, after, random_tensor({batch, 5, 16}, 9));
  }
}

TEST(ChannelsAsRows, GradientsOfTokensAreThoseOfProducts) {
  Graph graph = tokens(3);
  for (size_t id = 0; id < graph.value_count(); ++id)
    if (graph.value(static_cast<ValueId>(id)).constant) graph.value(static_cast<ValueId>(id)).trainable = true;
  Graph after = graph;
  channels_as_rows(after);
  canonicalise_dense(after);
  const Tensor x = random_tensor({3, 5, 16}, 9);
  const auto expected = gradients_by_name(graph, x), actual = gradients_by_name(after, x);
  ASSERT_EQ(expected.size(), 7u);
  for (const auto& [name, values] : expected) {
    ASSERT_EQ(actual.at(name).size(), values.size()) << name;
    for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(actual.at(name)[i], values[i], 2e-4) << name << ' ' << i;
  }
}

/// An imported layer norm has one of the three outputs that the operator may have.
TEST(RecomputeActivations, LeavesOptionalOutputsOutThatAreMissing) {
  Graph graph = tokens(3);
  for (size_t id = 0; id < graph.value_count(); ++id)
    if (graph.value(static_cast<ValueId>(id)).constant) graph.value(static_cast<ValueId>(id)).trainable = true;
  for (Node& node : graph.nodes) node.outputs.resize(1);
  const Tensor x = random_tensor({3, 5, 16}, 9);
  const auto expected = gradients_by_name(graph, x);
  const auto again = gradients_by_name(graph, x, [](Graph& g) {
    const std::vector<size_t> cuts = place_cuts(g, 3);
    ASSERT_FALSE(cuts.empty());
    recompute_activations(g, cuts);
  });
  EXPECT_EQ(again, expected);
}

}  // namespace
}  // namespace graft
