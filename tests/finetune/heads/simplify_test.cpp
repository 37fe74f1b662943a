#include "finetune/heads/simplify.h"

#include <gtest/gtest.h>

#include "models/registry.h"
#include "runtime/plan/plan.h"
#include "tests/backend.h"

namespace graft {
namespace {

int count(const Graph& graph, const char* type) {
  int n = 0;
  for (const Node& node : graph.nodes) n += node.op->type() == type;
  return n;
}

TEST(Simplify, TakesOutLrnAndDropoutAndNothingElse) {
  ArchitectureOptions options;
  options.initialise = false;
  Graph graph = build_architecture("alexnet", options);
  const int convolutions = count(graph, "Conv"), dense = count(graph, "Gemm");
  const SimplifyResult result = remove_lrn_and_dropout(graph);
  EXPECT_EQ(result.lrn, 2);
  EXPECT_EQ(result.dropout, 2);
  EXPECT_EQ(count(graph, "LRN") + count(graph, "Dropout"), 0);
  EXPECT_EQ(count(graph, "Conv"), convolutions);
  EXPECT_EQ(count(graph, "Gemm"), dense);
  Plan plan = compile_inference(graph, {1, 227, 227}, test_backend());
  plan.forward();
  EXPECT_EQ(plan.output(0).shape.str(), "1×1000");
}

}  // namespace
}  // namespace graft
