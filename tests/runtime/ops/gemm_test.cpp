#include "runtime/ops/gemm.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <tuple>

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(Gemm, MultipliesByTheTransposedWeightAndAddsTheBias) {
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  expect_floats(
      run_operator(op, {floats({1, 2}, {1, 2}), floats({3, 2}, {1, 0, 0, 1, 1, 1}), floats({3}, {10, 20, 30})}), {1, 3},
      {11, 22, 33});
}

TEST(Gemm, ScalesProductAndBias) {
  auto op = std::make_shared<Gemm>();
  op->alpha = 2;
  op->beta = 0.5f;
  expect_floats(run_operator(op, {floats({1, 2}, {1, 2}), floats({2, 1}, {3, 4}), floats({1}, {8})}), {1, 1}, {26});
}

/// Weights that no cache holds beside others are read where they lie.
TEST(Gemm, OfOneRowAndManyWeightsIsTheSumToo) {
  constexpr int64_t kDepth = 1037, kColumns = 301;
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  op->alpha = 0.5f;
  op->beta = 2;
  op->tail = {true, {Activation::Kind::relu, 0, 0}};
  const Given x = random_tensor({1, kDepth}, 1), w = random_tensor({kColumns, kDepth}, 2),
              bias = random_tensor({kColumns}, 3), residual = random_tensor({1, kColumns}, 4);
  const Tensor y = run_operator(op, {x, w, bias, residual});
  for (int64_t n = 0; n < kColumns; ++n) {
    double sum = 0;
    for (int64_t k = 0; k < kDepth; ++k)
      sum += static_cast<double>(x->data<float>()[static_cast<size_t>(k)]) *
             static_cast<double>(w->data<float>()[static_cast<size_t>(n * kDepth + k)]);
    const auto at = static_cast<size_t>(n);
    const double expected =
        0.5 * sum + 2 * static_cast<double>(bias->data<float>()[at]) + static_cast<double>(residual->data<float>()[at]);
    EXPECT_NEAR(y.data<float>()[at], std::max(expected, 0.0), 1e-4) << "column " << n;
  }
}

/// y = x·w (w a constant, or an input as well) for every number of threads.
void expect_the_same_for_every_number_of_threads(const OperatorPtr& op, const Shape& x, const Shape& w, bool constant) {
  Graph graph;
  const Tensor rows = random_tensor(x, 1), weights = random_tensor(w, 2);
  const ValueId a = graph.add_input("x", DType::f32, x),
                b = constant ? graph.add_constant("w", weights.clone()) : graph.add_input("w", DType::f32, w);
  graph.outputs = graph.add_node("y", op, {a, b});
  std::optional<Tensor> first;
  for (const int threads : {1, 2, 3, 8, 16, 40}) {
    Plan plan(graph, test_backend(), threads);
    copy_from_plain(rows.raw(), plan.input(0));
    if (!constant) copy_from_plain(weights.raw(), plan.input(1));
    plan.forward();
    Tensor y(DType::f32, plan.output(0).shape);
    copy_to_plain(plan.output(0), y.raw());
    if (!first)
      first = std::move(y);
    else
      EXPECT_EQ(std::memcmp(y.raw(), first->raw(), y.bytes()), 0)
          << x.str() << " by " << w.str() << " with " << threads << " threads";
  }
}

/// Of several blocks of results, each with its part of the bias.
TEST(Gemm, AddsEveryFormOfBiasToItsBlocks) {
  constexpr int64_t kDepth = 63;
  for (const auto& [m, n] : {std::pair<int64_t, int64_t>{70, 1001}, {300, 251}})
    for (const Shape& bias : {Shape{1}, Shape{n}, Shape{m, 1}, Shape{m, n}}) {
      auto op = std::make_shared<Gemm>();
      op->alpha = 0.5f;
      op->beta = 2;
      op->tail.residual = true;
      const Given a = random_tensor({m, kDepth}, 1), b = random_tensor({kDepth, n}, 2), c = random_tensor(bias, 3),
                  r = random_tensor({m, n}, 4);
      std::vector<float> expected;
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < kDepth; ++k)
            sum += static_cast<double>(a->data<float>()[static_cast<size_t>(i * kDepth + k)]) *
                   static_cast<double>(b->data<float>()[static_cast<size_t>(k * n + j)]);
          const bool by_row = bias.rank() == 2, by_column = bias.back() == n;
          const int64_t at = (by_row ? i * bias.back() : 0) + (by_column ? j : 0);
          expected.push_back(static_cast<float>(0.5 * sum +
                                                2 * static_cast<double>(c->data<float>()[static_cast<size_t>(at)]) +
                                                static_cast<double>(r->data<float>()[static_cast<size_t>(i * n + j)])));
        }
      expect_floats(run_operator(op, {a, b, c, r}), {m, n}, expected, 1e-4f);
    }
}

TEST(Gemm, OfNoRowsIsEmpty) {
  auto op = std::make_shared<Gemm>();
  op->transpose_a = Transpose2d::yes;
  EXPECT_EQ(run_operator(op, {random_tensor({200, 0}, 1), random_tensor({200, 0}, 2)}).elements(), 0);
}

/// ONNX Runtime gives the bias, and zeros.
TEST(Gemm, OverNoTermsIsTheBias) {
  auto op = std::make_shared<Gemm>();
  op->beta = 2;
  const Given bias = floats({3}, {1, -1, 0.5f});
  expect_floats(run_operator(op, {random_tensor({2, 0}, 1), random_tensor({0, 3}, 2), bias}), {2, 3},
                {2, -2, 1, 2, -2, 1});
  expect_floats(run_operator(std::make_shared<MatMul>(), {random_tensor({2, 1, 0}, 1), random_tensor({2, 0, 2}, 2)}),
                {2, 1, 2}, {0, 0, 0, 0});
}

/// The gradient of a dense layer's weights: sums over rows, few and many of them, with few columns and more than a
/// group.
TEST(Gemm, OfATransposedMatrixIsTheSumOverRows) {
  for (const auto& [rows, m, n] :
       {std::array<int64_t, 3>{128, 16, 16}, {197, 192, 576}, {131, 784, 32}, {300, 48, 800}, {127, 32, 32}}) {
    auto op = std::make_shared<Gemm>();
    op->transpose_a = Transpose2d::yes;
    const Given a = random_tensor({rows, m}, 1), b = random_tensor({rows, n}, 2);
    std::vector<double> sums(static_cast<size_t>(m * n), 0);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
          sums[static_cast<size_t>(i * n + j)] +=
              static_cast<double>(a->data<float>()[static_cast<size_t>(r * m + i)]) *
              static_cast<double>(b->data<float>()[static_cast<size_t>(r * n + j)]);
    expect_floats(run_operator(op, {a, b}), {m, n}, {sums.begin(), sums.end()}, 1e-4f);
    expect_the_same_for_every_number_of_threads(op, {rows, m}, {rows, n}, false);
  }
}

/// Whole vectors of columns and many rows, as dense layers on tokens have them.
TEST(Gemm, OfManyRowsIsTheSumWithBiasResidualAndActivation) {
  for (const auto& [m, k, n] :
       {std::array<int64_t, 3>{29, 48, 80}, {12, 16, 16}, {197, 64, 32}, {49, 528, 48}, {70, 63, 1001}, {300, 63, 251}})
    for (const bool transposed : {false, true})
      for (const bool tail : {false, true}) {
        auto op = std::make_shared<Gemm>();
        op->transpose_b = transposed ? Transpose2d::yes : Transpose2d::no;
        if (tail) op->tail = {true, {Activation::Kind::relu, 0, 0}};
        const Tensor a = random_tensor({m, k}, 1), b = random_tensor(transposed ? Shape{n, k} : Shape{k, n}, 2),
                     c = random_tensor({n}, 3), r = random_tensor({m, n}, 4);
        std::vector<float> expected;
        for (int64_t i = 0; i < m; ++i)
          for (int64_t j = 0; j < n; ++j) {
            double sum = static_cast<double>(c.data<float>()[static_cast<size_t>(j)]);
            for (int64_t t = 0; t < k; ++t)
              sum += static_cast<double>(a.data<float>()[static_cast<size_t>(i * k + t)]) *
                     static_cast<double>(b.data<float>()[static_cast<size_t>(transposed ? j * k + t : t * n + j)]);
            if (tail) sum = std::max(0.0, sum + static_cast<double>(r.data<float>()[static_cast<size_t>(i * n + j)]));
            expected.push_back(static_cast<float>(sum));
          }
        std::vector<Given> inputs{a.clone(), b.clone(), c.clone()};
        if (tail) inputs.push_back(r.clone());
        expect_floats(run_operator(op, inputs), {m, n}, expected, 1e-4f);
      }
}

/// Whether the residual's memory is free, so that the result takes it over, changes no bit.
TEST(Gemm, GivesTheSameSumsWhereverTheResidualLies) {
  for (const int64_t depth : {64, 1200}) {
    std::vector<std::vector<float>> results;
    for (const bool kept : {false, true}) {
      Graph graph;
      const ValueId x = graph.add_input("x", DType::f32, {40, depth});
      auto first = std::make_shared<Gemm>(), second = std::make_shared<Gemm>();
      second->tail.residual = true;
      const ValueId r = graph.add("r", first, {x, graph.add_constant("v", random_tensor({depth, 48}, 1))});
      const ValueId w = graph.add_constant("w", random_tensor({depth, 48}, 2)),
                    b = graph.add_constant("b", random_tensor({48}, 3));
      graph.outputs = {graph.add("y", second, {x, w, b, r})};
      if (kept) graph.outputs.push_back(r);
      Plan plan(graph, test_backend());
      const Tensor input = random_tensor({40, depth}, 4);
      copy_from_plain(input.raw(), plan.input(0));
      plan.forward();
      results.emplace_back(plan.output(0).as<float>(), plan.output(0).as<float>() + 40 * 48);
    }
    EXPECT_EQ(results[0], results[1]) << depth;
  }
}

TEST(Gemm, GivesTheSameSumsForEveryNumberOfThreads) {
  auto by_rows = std::make_shared<Gemm>(), by_columns = std::make_shared<Gemm>(),
       of_gradients = std::make_shared<Gemm>();
  by_rows->transpose_b = Transpose2d::yes;
  of_gradients->transpose_a = Transpose2d::yes;
  for (const auto& [rows, depth, columns] : {std::tuple<int64_t, int64_t, int64_t>{3, 4096, 10},
                                             {1, 3000, 7},
                                             {19, 2311, 53},
                                             {32, 1280, 100},
                                             {32, 2048, 1000},
                                             {100, 127, 20},
                                             {100, 2048, 100}}) {
    expect_the_same_for_every_number_of_threads(by_rows, {rows, depth}, {columns, depth}, true);
    expect_the_same_for_every_number_of_threads(by_columns, {rows, depth}, {depth, columns}, true);
    expect_the_same_for_every_number_of_threads(by_columns, {rows, depth}, {depth, columns}, false);
    expect_the_same_for_every_number_of_threads(of_gradients, {rows, depth}, {rows, columns}, false);
  }
}

TEST(MatMul, GivesTheSameSumsForEveryNumberOfThreads) {
  const auto op = std::make_shared<MatMul>();
  expect_the_same_for_every_number_of_threads(op, {2, 4000}, {4000, 64}, false);
  expect_the_same_for_every_number_of_threads(op, {3, 20, 2000}, {3, 2000, 30}, false);
  expect_the_same_for_every_number_of_threads(op, {1, 20, 2000}, {1, 2000, 30}, false);
}

TEST(Gemm, TakesOneNumberAsItsBias) {
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  expect_floats(run_operator(op, {floats({2, 2}, {1, 2, 3, 4}), floats({1, 2}, {1, 1}), floats({}, {10})}), {2, 1},
                {13, 17});
  const Given x = random_tensor({1, 300000}, 1, 0, 1e-3f), w = random_tensor({1, 300000}, 2, 0, 1e-3f);
  EXPECT_GT(run_operator(op, {x, w, floats({}, {10})}).data<float>()[0], 10);
}

TEST(Gemm, RefusesAWeightOfAnotherWidth) {
  Gemm op;
  EXPECT_THROW(op.infer(std::vector<ValueType>{{DType::f32, {1, 3}}, {DType::f32, {2, 2}}}), Error);
}

TEST(Gemm, GradientsMatchFiniteDifferencesForEveryTransposition) {
  for (const auto ta : {Transpose2d::no, Transpose2d::yes}) {
    for (const auto tb : {Transpose2d::no, Transpose2d::yes}) {
      auto op = std::make_shared<Gemm>();
      op->transpose_a = ta;
      op->transpose_b = tb;
      op->alpha = 0.5f;
      const Shape a = ta == Transpose2d::no ? Shape{3, 4} : Shape{4, 3},
                  b = tb == Transpose2d::no ? Shape{4, 2} : Shape{2, 4};
      expect_gradients(op, {random_tensor(a, 1), random_tensor(b, 2), random_tensor({2}, 3)}, {true, true, true});
    }
  }
}

TEST(MatMul, BroadcastsTheBatch) {
  expect_floats(run_operator(std::make_shared<MatMul>(), {floats({2, 1, 2}, {1, 2, 3, 4}), floats({2, 1}, {10, 1})}),
                {2, 1, 1}, {12, 34});
}

TEST(MatMul, GradientsMatchFiniteDifferences) {
  expect_gradients(std::make_shared<MatMul>(), {random_tensor({3, 4}, 1), random_tensor({4, 2}, 2)}, {true, true});
}

TEST(MatMul, GradientsOfBatchesAreSummedWhereTheySharedAMatrix) {
  const std::vector<std::pair<Shape, Shape>> cases{
      {{2, 3, 4}, {4, 2}},    {{2, 3, 4}, {2, 4, 2}}, {{3, 4}, {2, 4, 2}}, {{2, 1, 3, 4}, {3, 4, 2}},
      {{1, 2, 3, 4}, {4}},    {{4}, {2, 4, 3}},       {{4}, {4}},          {{5, 1, 2, 3, 4}, {1, 2, 1, 4, 2}},
      {{2, 2, 3, 4}, {4, 2}},
  };
  for (const auto& [a, b] : cases) {
    SCOPED_TRACE(a.str() + " and " + b.str());
    expect_gradients(std::make_shared<MatMul>(), {random_tensor(a, 1), random_tensor(b, 2)}, {true, true});
  }
}

}  // namespace
}  // namespace graft
