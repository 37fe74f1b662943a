#include "runtime/plan/row_plan.h"

#include <gtest/gtest.h>

#include "runtime/core/error.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/reshape.h"
#include "tests/backend.h"

namespace graft {
namespace {

/// What an exporter that fixed the batch writes for a reshaped picture: places in the flat array, for one picture.
Graph fixed_to_one_picture() {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 2, 1, 2});
  const ValueId flat = graph.add_constant("flat", Tensor::of<int64_t>({1}, {-1}));
  const ValueId places = graph.add_constant("places", Tensor::of<int64_t>({1, 2}, {3, 0}));
  auto gather = std::make_shared<Gather>();
  gather->axis = 0;
  graph.outputs = {graph.add("gather", gather, {graph.add("flatten", std::make_shared<Reshape>(), {x, flat}), places})};
  graph.value(x).shape[0] = kOpenDim;
  return graph;
}

TEST(RowPlan, RunsPicturesOneByOneWhereTheGraphKnowsOneOnly) {
  RowPlan plan(fixed_to_one_picture(), {3, 1, 2}, test_backend());
  EXPECT_TRUE(plan.one_by_one());
  EXPECT_EQ(plan.width(0), 2u);
  EXPECT_EQ(plan.shape(0).str(), "3×2");
  // Pictures lie channels-last: 1 2 | 3 4 are its two pixels' channels.
  const float pictures[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  plan.forward(pictures);
  const auto* rows = static_cast<const float*>(plan.output(0));
  for (int row = 0; row < 3; ++row) {
    EXPECT_EQ(rows[2 * row], pictures[4 * row + 3]);
    EXPECT_EQ(rows[2 * row + 1], pictures[4 * row]);
  }
}

TEST(RowPlan, RefusesAnOutputWithoutRows) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 2, 1, 2});
  auto sum = std::make_shared<Reduce>();
  sum->kind = Reduce::Kind::sum;
  sum->all_axes = true;
  sum->keep_dims = false;
  graph.outputs = {graph.add("sum", sum, {x})};
  graph.value(x).shape[0] = kOpenDim;
  try {
    RowPlan(graph, {3, 1, 2}, test_backend());
    FAIL() << "a sum over all pictures was read as a row for each";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has no row for each"), std::string::npos) << error.what();
  }
}

TEST(RowPlan, RunsABatchWhereTheGraphTakesOne) {
  Graph graph;
  const ValueId x = graph.add_input("x", DType::f32, {1, 2, 1, 2});
  auto sum = std::make_shared<Reduce>();
  sum->kind = Reduce::Kind::sum;
  sum->axes = {1, 2, 3};
  sum->keep_dims = true;
  graph.outputs = {graph.add("sum", sum, {x})};
  graph.value(x).shape[0] = kOpenDim;
  RowPlan plan(graph, {2, 1, 2}, test_backend());
  EXPECT_FALSE(plan.one_by_one());
  const float pictures[] = {1, 2, 3, 4, 5, 6, 7, 8};
  plan.forward(pictures);
  EXPECT_EQ(static_cast<const float*>(plan.output(0))[0], 10);
  EXPECT_EQ(static_cast<const float*>(plan.output(0))[1], 26);
}

}  // namespace
}  // namespace graft
