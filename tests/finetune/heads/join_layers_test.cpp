#include "finetune/heads/join_layers.h"

#include <gtest/gtest.h>

#include "finetune/heads/head.h"
#include "models/registry.h"
#include "runtime/passes/passes.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"
#include "tests/finetune/selection/recipe_set.h"

namespace graft {
namespace {

Graph resnet_18() {
  ArchitectureOptions options;
  options.classes = 10;
  return build_architecture("resnet-18", options);
}

/// A network with a new linear head, typed for pictures of `side`.
struct Headed {
  Headed(Graph base, int64_t side) : graph(std::move(base)) {
    head = graft_head(graph, {3, 1, false, {"linear"}}).parameters;
    retype(graph, {2, side, side}, test_backend());
  }
  std::vector<float> scores() const {
    Plan plan = compile_inference(graph, {2, side_of(), side_of()}, test_backend(), 1);
    Random random(4);
    std::vector<float> pixels(static_cast<size_t>(2 * 3 * side_of() * side_of()));
    for (float& p : pixels) p = random.uniform(-1, 1);
    plan.bind_input(0, pixels.data());
    plan.forward();
    return {plan.output(0).as<float>(), plan.output(0).as<float>() + 6};
  }
  int64_t side_of() const { return graph.value(graph.inputs[0]).shape[2]; }
  Graph graph;
  std::vector<std::string> head;
};

TEST(JoinLayers, TakesTheLastBlocksInputAndTheStageBefore) {
  Headed resnet(resnet_18(), 224);
  const std::vector<ValueId> joined = layers_to_join(resnet.graph, resnet.head);
  ASSERT_EQ(joined.size(), 2u);
  const auto extents = [&](ValueId id) {
    const Shape& shape = resnet.graph.value(id).shape;
    return std::vector<int64_t>{shape[1], shape[2], shape[3]};
  };
  EXPECT_EQ(extents(joined[0]), (std::vector<int64_t>{512, 7, 7}));
  EXPECT_EQ(extents(joined[1]), (std::vector<int64_t>{256, 14, 14}));
}

TEST(JoinLayers, TheNetworkStaysTheSameFunction) {
  Headed resnet(resnet_18(), 224);
  const std::vector<float> before = resnet.scores();
  EXPECT_EQ(join_layers(resnet.graph, resnet.head), (std::vector<size_t>{512, 512, 256}));
  EXPECT_EQ(resnet.graph.value(resnet.graph.find(resnet.head[0])).shape, Shape({3, 512 + 512 + 256}));
  const std::vector<float> after = resnet.scores();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-6f + 1e-5f * std::abs(before[i]));
}

TEST(JoinLayers, WhereThereIsNothingBeforeTheFeaturesNothingChanges) {
  Set set;
  set.convolutions = 0;
  Headed flat(set.base(), kSide);
  const size_t nodes = flat.graph.nodes.size();
  EXPECT_TRUE(join_layers(flat.graph, flat.head).empty());
  EXPECT_EQ(flat.graph.nodes.size(), nodes);
}

}  // namespace
}  // namespace graft
