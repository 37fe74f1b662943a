#include "runtime/passes/output_rows.h"

#include "runtime/ops/gemm.h"
#include "runtime/ops/reshape.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"
#include "tests/runtime/graph_results.h"

namespace graft {
namespace {

ValueId dense(Graph& graph, int64_t outputs) {
  const ValueId x = graph.add_input("x", DType::f32, {1, 3});
  return graph.add("dense", std::make_shared<Gemm>(), {x, graph.add_constant("w", random_tensor({3, outputs}, 1))});
}

/// A binary classifier's sigmoid(squeeze(scores)).
TEST(OutputRows, ComeBackFromASqueeze) {
  Graph graph;
  auto squeeze = std::make_shared<Squeeze>();
  squeeze->axes = {1};
  graph.outputs = {graph.add("y", make_unary(Unary::Kind::sigmoid), {graph.add("list", squeeze, {dense(graph, 1)})})};
  const Tensor before = run(graph, random_tensor({1, 3}, 2));
  give_outputs_rows(graph);
  remove_dead_code(graph);
  const Tensor after = run(graph, random_tensor({1, 3}, 2));
  EXPECT_EQ(after.shape().str(), Shape({1, 1}).str());
  EXPECT_EQ(after.data<float>()[0], before.data<float>()[0]);
}

/// A network for one picture that drops the batch: softmax(squeeze(scores), axis 0).
TEST(OutputRows, ComeBackWhereTheBatchWasDropped) {
  Graph graph;
  auto softmax = std::make_shared<Softmax>();
  softmax->axis = 0;
  graph.outputs = {graph.add("y", softmax, {graph.add("list", std::make_shared<Squeeze>(), {dense(graph, 4)})})};
  const Tensor before = run(graph, random_tensor({1, 3}, 2));
  give_outputs_rows(graph);
  remove_dead_code(graph);
  const Tensor after = run(graph, random_tensor({1, 3}, 2));
  EXPECT_EQ(after.shape().str(), Shape({1, 4}).str());
  expect_floats(before, {4}, {after.data<float>().begin(), after.data<float>().end()});
}

/// squeeze() of one score of one picture leaves no dimension.
TEST(OutputRows, ComeBackFromASingleNumber) {
  Graph graph;
  graph.outputs = {graph.add("y", std::make_shared<Squeeze>(), {dense(graph, 1)})};
  EXPECT_EQ(graph.value(graph.outputs[0]).shape.rank(), 0);
  give_outputs_rows(graph);
  EXPECT_EQ(graph.value(graph.outputs[0]).shape.str(), Shape({1, 1}).str());
}

TEST(OutputRows, OthersStayAsTheyAre) {
  Graph graph;
  graph.outputs = {dense(graph, 4)};
  const std::vector<ValueId> outputs = graph.outputs;
  give_outputs_rows(graph);
  EXPECT_EQ(graph.outputs, outputs);
}

}  // namespace
}  // namespace graft
