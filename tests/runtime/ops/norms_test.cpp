#include "runtime/ops/normalise.h"
#include "runtime/ops/prelu.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

std::shared_ptr<Normalise> norm(Normalise::Over over, int64_t groups = 1, int64_t axis = -1) {
  auto op = std::make_shared<Normalise>();
  op->over = over;
  op->groups = groups;
  op->axis = axis;
  op->epsilon = 0;
  return op;
}

TEST(Normalise, InstanceStandardisesEachChannelOfEachPicture) {
  const auto op = norm(Normalise::Over::instance);
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {1, 3, 10, 30}), floats({2}, {1, 2}), floats({2}, {0, 5})}),
                {1, 2, 1, 2}, {-1, 1, 3, 7});
}

TEST(Normalise, GroupStandardisesItsChannelsTogether) {
  const auto op = norm(Normalise::Over::group, 1);
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {-3, -1, 1, 3}), floats({2}, {1, 10}), floats({2}, {0, 0})}),
                {1, 2, 1, 2}, {-1.3416408f, -0.4472136f, 4.472136f, 13.416408f});
}

TEST(Normalise, LayerStandardisesTheLastDimensionsAndTellsItsStatistics) {
  const auto op = norm(Normalise::Over::layer);
  const std::vector<Given> inputs{floats({2, 2}, {1, 3, 0, 4}), floats({2}, {1, 1}), floats({2}, {0, 1})};
  expect_floats(run_operator(op, inputs), {2, 2}, {-1, 2, -1, 2});
}

/// Longer than any vector, with a rest, far from zero.
TEST(Normalise, LayerOfLongRows) {
  for (const int64_t n : {16, 37, 192}) {
    const Tensor x = random_tensor({3, n}, 5, 99, 101), scale = random_tensor({n}, 6), bias = random_tensor({n}, 7);
    auto op = std::make_shared<Normalise>();
    op->over = Normalise::Over::layer;
    op->axis = -1;
    std::vector<float> expected;
    for (int64_t row = 0; row < 3; ++row) {
      const auto at = [&](const Tensor& t, int64_t i) {
        return static_cast<double>(t.data<float>()[static_cast<size_t>(i)]);
      };
      double mean = 0, squares = 0;
      for (int64_t i = 0; i < n; ++i) mean += at(x, row * n + i) / static_cast<double>(n);
      for (int64_t i = 0; i < n; ++i) squares += (at(x, row * n + i) - mean) * (at(x, row * n + i) - mean);
      const double inverse = 1 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(op->epsilon));
      for (int64_t i = 0; i < n; ++i)
        expected.push_back(static_cast<float>((at(x, row * n + i) - mean) * inverse * at(scale, i) + at(bias, i)));
    }
    expect_floats(run_operator(op, {x.clone(), scale.clone(), bias.clone()}), {3, n}, expected, 2e-5f);
  }
}

TEST(Normalise, RootMeanSquareKeepsTheMean) {
  auto op = norm(Normalise::Over::layer);
  op->root_mean_square = true;
  expect_floats(run_operator(op, {floats({1, 2}, {3, 4}), floats({2}, {1, 1})}), {1, 2}, {0.84852814f, 1.1313709f});
}

TEST(Normalise, GradientsMatchFiniteDifferences) {
  const auto check = [](std::shared_ptr<Normalise> op, Shape x, Shape parameters) {
    op->epsilon = 1e-3f;
    expect_gradients(op, {random_tensor(x, 3), random_tensor(parameters, 4, 0.5f, 1.5f), random_tensor(parameters, 5)},
                     {true, true, true});
  };
  check(norm(Normalise::Over::instance), {2, 3, 4, 4}, {3});
  check(norm(Normalise::Over::group, 2), {2, 4, 3, 3}, {4});
  check(norm(Normalise::Over::group, 2), {2, 4, 3, 3}, {2});
  check(norm(Normalise::Over::layer), {5, 6}, {6});
  check(norm(Normalise::Over::layer, 1, 1), {2, 3, 2, 2}, {3, 2, 2});
  auto rms = norm(Normalise::Over::layer);
  rms->root_mean_square = true;
  rms->epsilon = 1e-3f;
  expect_gradients(rms, {random_tensor({5, 6}, 3), random_tensor({6}, 4, 0.5f, 1.5f)}, {true, true});
}

TEST(Normalise, RefusesGroupsThatDoNotDivideTheChannels) {
  EXPECT_THROW(run_operator(norm(Normalise::Over::group, 2),
                            {floats({1, 3, 1, 1}, {1, 2, 3}), floats({3}, {1, 1, 1}), floats({3}, {0, 0, 0})}),
               Error);
}

TEST(PRelu, ScalesWhatIsBelowZeroAndLearnsItsSlopes) {
  const auto op = std::make_shared<PRelu>();
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {-1, 2, -3, 4}), floats({2, 1, 1}, {0.5f, 0.1f})}), {1, 2, 1, 2},
                {-0.5f, 2, -0.3f, 4});
  expect_gradients(op, {random_tensor({2, 3, 2, 2}, 1), random_tensor({3, 1, 1}, 2)}, {true, true}, 1e-3f);
}

}  // namespace
}  // namespace graft
