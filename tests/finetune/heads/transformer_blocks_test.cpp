// What `last:N` and layer-wise rates count as one in networks that attend.
#include "finetune/heads/transformer_blocks.h"

#include <gtest/gtest.h>

#include <set>

#include "finetune/heads/freeze.h"
#include "models/registry.h"

namespace graft {
namespace {

Graph network(const std::string& name) {
  ArchitectureOptions options;
  options.initialise = false;
  return build_architecture(name, options);
}

/// The blocks of which some constant's name begins so, by its name up to the block's number.
std::map<int, std::set<std::string>> names_in_blocks(const Graph& graph, const std::string& prefix) {
  std::map<int, std::set<std::string>> names;
  const std::vector<int> blocks = transformer_blocks(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (ValueId id : graph.nodes[n].inputs) {
      if (id == kNoValue || !graph.value(id).constant) continue;
      const std::string& name = graph.value(id).name;
      if (name.starts_with(prefix)) names[blocks[n]].insert(name.substr(0, name.find('.', prefix.size())));
    }
  return names;
}

TEST(TransformerBlocks, AreThoseThatTheirNamesTell) {
  const Graph graph = network("vit-tiny-16");
  const auto names = names_in_blocks(graph, "blocks.");
  ASSERT_EQ(names.size(), 12u);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(names.at(i), std::set<std::string>{"blocks." + std::to_string(i)});
}

TEST(TransformerBlocks, OfSwinLieBetweenMergings) {
  const std::vector<int> blocks = transformer_blocks(network("swin-tiny"));
  EXPECT_EQ(std::set<int>(blocks.begin(), blocks.end()).size(), 1u + 2 + 2 + 6 + 2);
}

TEST(TransformerBlocks, OfSwinHoldTheirTablesOfPlaces) {
  const Graph graph = network("swin-tiny");
  // Embedding, twelve blocks, three mergings.
  EXPECT_EQ(layers_below_head(graph, {"head.weight", "head.bias"}), 1 + 12 + 3);
  const std::vector<int> blocks = transformer_blocks(graph);
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (ValueId id : graph.nodes[n].inputs)
      if (id != kNoValue && graph.value(id).name.ends_with("relative_position_bias_table")) {
        EXPECT_GE(blocks[n], 0) << graph.value(id).name;
      }
}

TEST(TransformerBlocks, AreNotInConvolutionalNetworks) {
  for (const char* name : {"resnet-50", "densenet-121", "convnext-tiny", "efficientnet-b0"}) {
    const std::vector<int> blocks = transformer_blocks(network(name));
    EXPECT_TRUE(std::all_of(blocks.begin(), blocks.end(), [](int block) { return block < 0; })) << name;
  }
}

TEST(TransformerBlocks, AreFrozenAsOne) {
  Graph graph = network("vit-tiny-16");
  const std::vector<std::string> head{"head.weight", "head.bias"};
  EXPECT_EQ(layers_below_head(graph, head), 13);  // the patches' embedding, and 12 blocks
  apply_freeze(graph, {"last:2", BatchNormPolicy::automatic}, head);
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Value& value = graph.value(static_cast<ValueId>(i));
    if (!value.constant || value.shape.elements() < 2 || value.dtype != DType::f32) continue;
    const bool above = value.name.starts_with("blocks.10.") || value.name.starts_with("blocks.11.") ||
                       value.name.starts_with("norm.") || value.name.starts_with("head.");
    EXPECT_EQ(value.trainable, above) << value.name;
  }
}

}  // namespace
}  // namespace graft
