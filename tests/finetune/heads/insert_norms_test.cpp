#include "finetune/heads/insert_norms.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/initialiser.h"
#include "runtime/core/random.h"
#include "runtime/ops/batch_norm.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/normalise.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/unary.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {
namespace {

constexpr int64_t kPictures = 6, kSide = 5;

ValueId add_convolution(Graph& graph, const std::string& name, ValueId x, int64_t in, int64_t out, Random& random) {
  auto convolution = std::make_shared<Convolution>();
  convolution->window.kernel = {3, 3};
  convolution->window.padding = {1, 1, 1, 1};
  const ValueId weight =
      graph.add_constant(name + ".weight", drawn_weights({out, in, 3, 3}, {Initialiser::Kind::he_fan_in, 0}, random));
  Tensor bias = Tensor::zeros(DType::f32, {out});
  for (float& b : bias.data<float>()) b = random.normal();
  return graph.add(name, convolution, {x, weight, graph.add_constant(name + ".bias", std::move(bias))});
}

/// Two convolutions, their ReLUs, the mean over pixels, and a convolution of one pixel.
Graph network() {
  Random random(3);
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {-1, 3, kSide, kSide});
  ValueId y = graph.add("relu1", make_unary(Unary::Kind::relu), {add_convolution(graph, "first", x, 3, 4, random)});
  y = graph.add("relu2", make_unary(Unary::Kind::relu), {add_convolution(graph, "second", y, 4, 5, random)});
  auto mean = std::make_shared<Reduce>();
  mean->axes = {2, 3};
  y = graph.add("mean", mean, {y});
  graph.outputs = {add_convolution(graph, "last", y, 5, 2, random)};
  return graph;
}

std::vector<float> pictures() {
  Random random(8);
  std::vector<float> values(kPictures * 3 * kSide * kSide);
  for (float& v : values) v = random.normal();
  return values;
}

std::vector<float> output_of(const Graph& graph, size_t output = 0) {
  Plan plan = compile_inference(graph, {kPictures, kSide, kSide}, test_backend());
  const std::vector<float> input = pictures();
  plan.bind_input(0, input.data());
  plan.forward();
  const auto n = static_cast<size_t>(plan.output(output).shape.elements());
  return {plan.output(output).as<float>(), plan.output(output).as<float>() + n};
}

NormStatistics measured(const Graph& graph) {
  std::vector<std::string> names;
  const Graph measuring = statistics_graph(graph, names);
  NormStatistics statistics;
  for (size_t n = 0; n < names.size(); ++n) {
    const std::vector<float> mean = output_of(measuring, 2 * n), square = output_of(measuring, 2 * n + 1);
    const size_t channels = mean.size() / kPictures;
    ChannelStatistics& s = statistics[names[n]];
    for (size_t c = 0; c < channels; ++c) {
      double m = 0, q = 0;
      for (size_t i = 0; i < kPictures; ++i) {
        m += static_cast<double>(mean[i * channels + c]) / kPictures;
        q += static_cast<double>(square[i * channels + c]) / kPictures;
      }
      s.mean.push_back(static_cast<float>(m));
      s.variance.push_back(static_cast<float>(q - m * m));
    }
  }
  return statistics;
}

void train_everything(Graph& graph) {
  for (const Node& node : graph.nodes)
    for (size_t i = 1; i < node.inputs.size(); ++i) graph.value(node.inputs[i]).trainable = true;
}

size_t count_norms(const Graph& graph) {
  size_t n = 0;
  for (const Node& node : graph.nodes) n += node.op->type() == "BatchNormalization";
  return n;
}

TEST(InsertNorms, StatisticsAreThoseOfTheActivations) {
  const Graph graph = network();
  const NormStatistics statistics = measured(graph);
  ASSERT_EQ(statistics.size(), 2u);  // not of the convolution that sees one pixel
  const std::string first = graph.value(graph.nodes[0].outputs[0]).name;
  Graph alone = graph;
  alone.outputs = {graph.nodes[0].outputs[0]};
  const std::vector<float> values = output_of(alone);  // channels-last
  for (size_t c = 0; c < 4; ++c) {
    double mean = 0, variance = 0;
    const double n = static_cast<double>(values.size()) / 4;
    for (size_t i = c; i < values.size(); i += 4) mean += static_cast<double>(values[i]) / n;
    for (size_t i = c; i < values.size(); i += 4) variance += std::pow(static_cast<double>(values[i]) - mean, 2) / n;
    EXPECT_NEAR(static_cast<double>(statistics.at(first).mean[c]), mean, 1e-4);
    EXPECT_NEAR(static_cast<double>(statistics.at(first).variance[c]), variance, 1e-4 * (1 + variance));
  }
}

TEST(InsertNorms, TheFunctionStaysAndTheNormsTrain) {
  Graph graph = network();
  const std::vector<float> before = output_of(graph);
  train_everything(graph);
  EXPECT_EQ(insert_norms(graph, measured(graph)), 2);
  EXPECT_EQ(count_norms(graph), 2u);
  const std::vector<float> after = output_of(graph);
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-4f);
  // As in training, on the very pictures that were measured.
  TrainingPlan plan = compile_training(graph, {kPictures, kSide, kSide}, test_backend());
  EXPECT_EQ(plan.statistics.size(), 2u);
  const std::vector<float> input = pictures();
  plan.plan.bind_input(0, input.data());
  plan.plan.forward();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(plan.plan.output(0).as<float>()[i], before[i], 1e-3f);
}

TEST(InsertNorms, FoldingLeavesTheNetworkAsItWasBuilt) {
  Graph graph = network();
  train_everything(graph);
  const NormStatistics statistics = measured(graph);
  insert_norms(graph, statistics);
  for (const Node& node : graph.nodes)  // as training might
    if (node.op->type() == "BatchNormalization")
      for (float& scale : graph.value(node.inputs[1]).constant->data<float>()) scale *= 1.5f;
  const std::vector<float> trained = output_of(graph);
  fold_inserted_norms(graph);
  EXPECT_EQ(count_norms(graph), 0u);
  const Graph built = network();
  ASSERT_EQ(graph.nodes.size(), built.nodes.size());
  for (size_t i = 0; i < built.nodes.size(); ++i) {
    EXPECT_EQ(graph.nodes[i].name, built.nodes[i].name);
    for (size_t k = 0; k < built.nodes[i].inputs.size(); ++k)
      EXPECT_EQ(graph.value(graph.nodes[i].inputs[k]).name, built.value(built.nodes[i].inputs[k]).name);
  }
  const std::vector<float> folded = output_of(graph);
  for (size_t i = 0; i < trained.size(); ++i) EXPECT_NEAR(folded[i], trained[i], 1e-4f);
}

TEST(InsertNorms, GroupsSharedWeightsAndMissingBiases) {
  Random random(4);
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {-1, 3, kSide, kSide});
  auto depthwise = std::make_shared<Convolution>();
  depthwise->window.kernel = {3, 3};
  depthwise->window.padding = {1, 1, 1, 1};
  depthwise->groups = 3;
  const ValueId weight =
      graph.add_constant("weight", drawn_weights({3, 1, 3, 3}, {Initialiser::Kind::he_fan_in, 0}, random));
  const ValueId first = graph.add("first", depthwise, {x, weight});
  graph.outputs = {graph.add("second", depthwise, {first, weight}), first};  // the same weights again
  const std::vector<float> before = output_of(graph), inner = output_of(graph, 1);
  graph.value(weight).trainable = true;
  EXPECT_EQ(insert_norms(graph, measured(graph)), 2);
  const auto expect_same = [&] {
    const std::vector<float> y = output_of(graph), z = output_of(graph, 1);
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], before[i], 1e-4f);
    for (size_t i = 0; i < z.size(); ++i) EXPECT_NEAR(z[i], inner[i], 1e-4f);
  };
  expect_same();
  fold_inserted_norms(graph);
  EXPECT_EQ(count_norms(graph), 0u);
  expect_same();
}

TEST(InsertNorms, OnlyWhereSomethingTrainsAndNoNormStands) {
  Graph frozen = network();
  const NormStatistics statistics = measured(frozen);
  EXPECT_EQ(insert_norms(frozen, statistics), 0);
  Graph normed = network();
  train_everything(normed);
  insert_norms(normed, statistics);
  EXPECT_EQ(insert_norms(normed, statistics), 0);
  std::vector<std::string> names;
  statistics_graph(normed, names);
  EXPECT_TRUE(names.empty());
  EXPECT_TRUE(has_norms(normed));
  normed = network();
  EXPECT_FALSE(has_norms(normed));
  auto norm = std::make_shared<Normalise>();
  norm->over = Normalise::Over::instance;
  const ValueId one = normed.add_constant("one", Tensor::zeros(DType::f32, {3}));
  normed.outputs = {normed.add("instance", norm, {normed.inputs[0], one, one})};
  EXPECT_TRUE(has_norms(normed));
}

}  // namespace
}  // namespace graft
