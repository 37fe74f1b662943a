#include "runtime/ops/comparison.h"

#include "runtime/ops/binary.h"
#include "tests/backend.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

std::vector<bool> answers(const Tensor& t) { return {t.data<bool>().begin(), t.data<bool>().end()}; }

TEST(Comparison, AnswersEachQuestionWithBroadcasting) {
  using K = Comparison::Kind;
  const Given a = floats({2, 2}, {1, 2, 3, 4}), b = floats({2}, {2, 2});
  EXPECT_EQ(answers(run_operator(make_comparison(K::equal), {a, b})), (std::vector<bool>{false, true, false, false}));
  EXPECT_EQ(answers(run_operator(make_comparison(K::greater), {a, b})), (std::vector<bool>{false, false, true, true}));
  EXPECT_EQ(answers(run_operator(make_comparison(K::greater_or_equal), {a, b})),
            (std::vector<bool>{false, true, true, true}));
  EXPECT_EQ(answers(run_operator(make_comparison(K::less), {a, b})), (std::vector<bool>{true, false, false, false}));
  EXPECT_EQ(answers(run_operator(make_comparison(K::less_or_equal), {a, b})),
            (std::vector<bool>{true, true, false, false}));
}

TEST(Comparison, CombinesBooleans) {
  using K = Comparison::Kind;
  const Given a = Tensor::of<bool>({4}, {false, false, true, true}),
              b = Tensor::of<bool>({4}, {false, true, false, true});
  EXPECT_EQ(answers(run_operator(make_comparison(K::logical_and), {a, b})),
            (std::vector<bool>{false, false, false, true}));
  EXPECT_EQ(answers(run_operator(make_comparison(K::logical_or), {a, b})),
            (std::vector<bool>{false, true, true, true}));
  EXPECT_EQ(answers(run_operator(make_comparison(K::logical_xor), {a, b})),
            (std::vector<bool>{false, true, true, false}));
  EXPECT_THROW(run_operator(make_comparison(K::logical_and), {floats({1}, {1}), floats({1}, {1})}), Error);
}

TEST(Predicate, TellsInfinitiesApart) {
  auto op = std::make_shared<Predicate>();
  op->kind = Predicate::Kind::is_inf;
  op->negative = false;
  EXPECT_EQ(answers(run_operator(op, {floats({3}, {INFINITY, -INFINITY, 1})})),
            (std::vector<bool>{true, false, false}));
}

TEST(Where, ChoosesAndSendsGradientsTheChosenWay) {
  Graph graph;
  auto a = graph.add_constant("a", Tensor::of<float>({3}, {1, 2, 3})),
       b = graph.add_constant("b", Tensor::of<float>({1}, {9}));
  graph.value(a).trainable = graph.value(b).trainable = true;
  const ValueId condition = graph.add_constant("c", Tensor::of<bool>({3}, {true, false, true}));
  graph.outputs = {graph.add("node", std::make_shared<Where>(), {condition, a, b})};
  const Gradients g = differentiate(graph, {graph.outputs[0]}, {a, b});
  Plan plan(graph, test_backend());
  const Tensor seed = Tensor::of<float>({3}, {10, 20, 30});
  copy_from_plain(seed.raw(), plan.input(0));
  plan.forward();
  plan.backward();
  const auto read = [&](size_t i) {
    Tensor t(DType::f32, plan.output(i).shape);
    copy_to_plain(plan.output(i), t.raw());
    return t;
  };
  expect_floats(read(0), {3}, {1, 9, 3});
  expect_floats(read(1), {3}, {10, 0, 30});
  expect_floats(read(2), {1}, {20});
}

TEST(Binary, MaximumSendsItsGradientToTheWinner) {
  expect_gradients(make_binary(Binary::Kind::max), {random_tensor({3, 4}, 1), random_tensor({4}, 2)}, {true, true},
                   1e-3f);
  expect_gradients(make_binary(Binary::Kind::min), {random_tensor({3, 4}, 1), random_tensor({4}, 2)}, {true, true},
                   1e-3f);
  expect_gradients(make_binary(Binary::Kind::pow), {random_tensor({3, 4}, 1, 0.5f, 2), random_tensor({4}, 2, 1, 3)},
                   {true, true}, 1e-3f);
}

TEST(Binary, RemaindersTakeTheSignOfEitherOperand) {
  const Given a = floats({4}, {5, -5, 5, -5}), b = floats({4}, {3, 3, -3, -3});
  expect_floats(run_operator(make_binary(Binary::Kind::mod), {a, b}), {4}, {2, 1, -1, -2});
  expect_floats(run_operator(make_binary(Binary::Kind::fmod), {a, b}), {4}, {2, -2, 2, -2});
}

}  // namespace
}  // namespace graft
