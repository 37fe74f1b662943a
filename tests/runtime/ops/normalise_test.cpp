#include <cmath>
#include <limits>

#include "runtime/ops/dropout.h"
#include "runtime/ops/lrn.h"
#include "runtime/ops/softmax.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(Softmax, OfTheKnownScores) {
  expect_floats(run_operator(std::make_shared<Softmax>(), {floats({1, 3}, {1, -2, 0})}), {1, 3},
                {0.705f, 0.035f, 0.259f}, 1e-3f);
}

TEST(Softmax, IsStableForLargeScores) {
  expect_floats(run_operator(std::make_shared<Softmax>(), {floats({1, 2}, {1e4f, -1e4f})}), {1, 2}, {1, 0});
}

/// Longer than any vector, with a rest; with the row's largest among the rest.
TEST(Softmax, OfLongRows) {
  for (const int64_t n : {16, 37, 197}) {
    Tensor x = random_tensor({3, n}, 5, -6, 6);
    x.data<float>()[static_cast<size_t>(2 * n - 1)] = 9;
    x.data<float>()[0] = -std::numeric_limits<float>::infinity();
    std::vector<float> expected;
    for (int64_t row = 0; row < 3; ++row) {
      double sum = 0;
      const auto at = [&](int64_t i) {
        return std::exp(static_cast<double>(x.data<float>()[static_cast<size_t>(row * n + i)]));
      };
      for (int64_t i = 0; i < n; ++i) sum += at(i);
      for (int64_t i = 0; i < n; ++i) expected.push_back(static_cast<float>(at(i) / sum));
    }
    auto op = std::make_shared<Softmax>();
    op->axis = -1;
    expect_floats(run_operator(op, {x.clone()}), {3, n}, expected, 1e-6f);
  }
}

TEST(Softmax, GradientsOfLongRowsMatchFiniteDifferences) {
  auto op = std::make_shared<Softmax>();
  op->axis = -1;
  expect_gradients(op, {random_tensor({2, 37}, 6, -3, 3)}, {true});
}

TEST(Softmax, GradientsMatchFiniteDifferences) {
  for (const auto form : {Softmax::Form::probability, Softmax::Form::log_probability}) {
    auto op = std::make_shared<Softmax>();
    op->form = form;
    expect_gradients(op, {random_tensor({3, 5}, 1)}, {true}, 1e-3f);
  }
}

TEST(Lrn, DividesByTheNeighboursEnergy) {
  auto op = std::make_shared<Lrn>();
  op->size = 3;
  op->alpha = 3;
  op->beta = 1;
  op->bias = 1;
  // t = 1 + Σ over the window: (1+4), (1+4+9), (4+9)
  expect_floats(run_operator(op, {floats({1, 3, 1, 1}, {1, 2, 3})}), {1, 3, 1, 1}, {1.0f / 6, 2.0f / 15, 3.0f / 14});
}

TEST(Lrn, OfAWindowWiderThanAllChannelsEnds) {
  auto op = std::make_shared<Lrn>();
  op->size = std::numeric_limits<int64_t>::max();
  op->alpha = static_cast<float>(op->size);
  op->beta = 1;
  op->bias = 1;
  expect_floats(run_operator(op, {floats({1, 3, 1, 1}, {1, 2, 3})}), {1, 3, 1, 1}, {1.0f / 15, 2.0f / 15, 3.0f / 15});
}

TEST(Lrn, GradientsMatchFiniteDifferences) {
  auto op = std::make_shared<Lrn>();
  op->alpha = 0.5f;
  expect_gradients(op, {random_tensor({2, 8, 3, 3}, 1)}, {true}, 1e-3f);
}

TEST(Dropout, KeepsTheMeanAndZeroesTheRatio) {
  auto op = std::make_shared<Dropout>();
  op->ratio = 0.25f;
  const Tensor y = run_operator(op, {random_tensor({10000}, 1, 1, 1.0000001f)});
  double sum = 0, zeros = 0;
  for (float v : y.data<float>()) {
    sum += static_cast<double>(v);
    zeros += v == 0;
  }
  EXPECT_NEAR(sum / 10000, 1, 0.02);
  EXPECT_NEAR(zeros / 10000, 0.25, 0.02);
}

TEST(Dropout, GradientUsesTheSameMask) {
  expect_gradients(std::make_shared<Dropout>(), {random_tensor({64}, 1)}, {true});
}

}  // namespace
}  // namespace graft
