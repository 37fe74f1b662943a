#include "finetune/training/divergence.h"

#include <gtest/gtest.h>

#include <limits>

#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"
#include "tests/backend.h"

namespace graft {
namespace {

/// x, N×2, through forty layers: each multiplies by its factor, 1 for all but those that a test sets.
Graph chain_of_products() {
  Graph graph;
  ValueId v = graph.add_input("x", DType::f32, {2, 2});
  for (int i = 0; i < 40; ++i) {
    const std::string name = "layer" + std::to_string(i);
    Tensor factor(DType::f32, {1});
    factor.data<float>()[0] = 1;
    v = graph.add(name, make_binary(Binary::Kind::mul), {v, graph.add_constant(name + ".weight", std::move(factor))});
  }
  graph.outputs = {v};
  return graph;
}

void set_factor(Graph& graph, int layer, float factor) {
  const ValueId weights = graph.find("layer" + std::to_string(layer) + ".weight");
  graph.value(weights).constant->data<float>()[0] = factor;
}

std::string found(const Graph& graph, const float* picture) {
  const std::vector<const float*> inputs{picture};
  return first_layer_not_finite(graph, {2, 1, 1}, test_backend(), 1, inputs);
}

TEST(Divergence, IsFoundInTheFirstLayerThatOverflows) {
  const float pictures[] = {1, 2, 3, 4};
  Graph graph = chain_of_products();
  EXPECT_EQ(found(graph, pictures), "");
  EXPECT_EQ(found(graph, nullptr), "");  // on the device alone
  set_factor(graph, 20, 1e20f);
  EXPECT_EQ(found(graph, pictures), "");
  set_factor(graph, 33, 1e20f);
  EXPECT_EQ(found(graph, pictures), "\"layer33\" (Mul)");
  set_factor(graph, 3, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(found(graph, pictures), "\"layer3\" (Mul)");
}

TEST(Divergence, NamesWeightsAndTheirLayer) {
  Graph graph = chain_of_products();
  set_factor(graph, 7, std::numeric_limits<float>::infinity());
  std::vector<Parameter> parameters;
  for (const int layer : {5, 7, 9}) {
    const std::string name = "layer" + std::to_string(layer) + ".weight";
    parameters.push_back({.name = name, .tensor = graph.value(graph.find(name)).constant});
  }
  EXPECT_EQ(first_broken_weights(parameters), "layer7.weight");
  EXPECT_EQ(reader_of(graph, "layer7.weight"), " of layer \"layer7\" (Mul)");
  EXPECT_EQ(reader_of(graph, "nothing"), "");
  set_factor(graph, 7, 1);
  EXPECT_EQ(first_broken_weights(parameters), "");
}

}  // namespace
}  // namespace graft
