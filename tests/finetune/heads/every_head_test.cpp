#include <gtest/gtest.h>

#include <map>

#include "finetune/heads/freeze.h"
#include "finetune/heads/head.h"
#include "models/registry.h"

namespace graft {
namespace {

std::vector<std::string> trained(const Graph& graph) {
  std::vector<std::string> names;
  for (size_t i = 0; i < graph.value_count(); ++i)
    if (graph.value(static_cast<ValueId>(i)).trainable && graph.value(static_cast<ValueId>(i)).constant)
      names.push_back(graph.value(static_cast<ValueId>(i)).name);
  return names;
}

/// On every architecture, without an option: the classifier is found, the new head alone is trained under a full
/// freeze, and all that the paper counts is trained without one.
TEST(EveryHead, IsGraftedWithoutOptions) {
  for (const std::string& name : architecture_names()) {
    SCOPED_TRACE(name);
    ArchitectureOptions options;
    options.initialise = false;
    Graph graph = build_architecture(name, options);
    const int64_t whole = parameter_count(graph);
    const GraftedHead head = graft_head(graph, {3, 1});
    EXPECT_FALSE(head.replaced.empty());
    EXPECT_EQ(graph.value(graph.outputs[0]).shape.back(), 3);
    Graph frozen = graph;
    apply_freeze(frozen, {"all", BatchNormPolicy::automatic}, head.parameters);
    EXPECT_EQ(trained(frozen), head.parameters);
    Graph free = graph;
    apply_freeze(free, {"none", BatchNormPolicy::automatic}, head.parameters);
    int64_t numbers = 0;
    for (size_t i = 0; i < free.value_count(); ++i)
      if (free.value(static_cast<ValueId>(i)).trainable)
        numbers += free.value(static_cast<ValueId>(i)).shape.elements();
    EXPECT_EQ(numbers, parameter_count(graph));
    EXPECT_LT(parameter_count(graph), whole);
  }
}

}  // namespace
}  // namespace graft
