#include "apps/library/scores.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/ops/movement.h"
#include "runtime/ops/softmax.h"
#include "runtime/ops/unary.h"

namespace graft {
namespace {

Graph ending_in(const std::vector<OperatorPtr>& operators) {
  Graph graph;
  ValueId at = graph.add_input("x", DType::f32, {2, 3});
  for (size_t i = 0; i < operators.size(); ++i) at = graph.add("node" + std::to_string(i), operators[i], {at});
  graph.outputs = {at};
  return graph;
}

OperatorPtr cast(DType to) {
  auto op = std::make_shared<Cast>();
  op->to = to;
  return op;
}

TEST(Scores, ProbabilitiesAreFoundBehindWhatKeepsThem) {
  const OperatorPtr softmax = std::make_shared<Softmax>(), sigmoid = make_unary(Unary::Kind::sigmoid),
                    clip = make_unary(Unary::Kind::clip, 0, 1);
  EXPECT_FALSE(ends_in_probabilities(ending_in({make_unary(Unary::Kind::tanh)})));
  EXPECT_TRUE(ends_in_probabilities(ending_in({softmax})));
  EXPECT_TRUE(ends_in_probabilities(ending_in({softmax, cast(DType::f64), cast(DType::f32), clip})));
  EXPECT_TRUE(ends_in_probabilities(ending_in({sigmoid, cast(DType::f16)})));
  EXPECT_FALSE(ends_in_probabilities(ending_in({softmax, make_unary(Unary::Kind::tanh)})));
  auto logarithms = std::make_shared<Softmax>();
  logarithms->form = Softmax::Form::log_probability;
  EXPECT_FALSE(ends_in_probabilities(ending_in({logarithms})));
  EXPECT_EQ(scores_before_softmax(ending_in({make_unary(Unary::Kind::tanh), softmax, clip})), "node0");
  EXPECT_EQ(scores_before_softmax(ending_in({sigmoid})), "");
}

TEST(Scores, OneScoreIsThatOfAYes) {
  std::vector<float> one{2}, done{0.25f}, two{1, 1}, values{3};
  to_probabilities(one, Task::classes, false);
  EXPECT_NEAR(one[0], 1 / (1 + std::exp(-2.0)), 1e-6);
  to_probabilities(done, Task::classes, true);
  EXPECT_EQ(done[0], 0.25f);
  to_probabilities(two, Task::classes, false);
  EXPECT_EQ(two[0], 0.5f);
  to_probabilities(two, Task::multi_label, true);
  EXPECT_EQ(two[0], 0.5f);
  to_probabilities(values, Task::regression, false);
  EXPECT_EQ(values[0], 3);
}

}  // namespace
}  // namespace graft
