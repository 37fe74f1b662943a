#include "runtime/ops/batch_norm.h"

#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(BatchNorm, UsesItsFixedStatistics) {
  auto op = std::make_shared<BatchNorm>();
  op->epsilon = 0;
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {1, 3, 10, 20}), floats({2}, {2, 1}), floats({2}, {1, 0}),
                                  floats({2}, {1, 10}), floats({2}, {4, 25})}),
                {1, 2, 1, 2}, {1, 3, 0, 2});
}

TEST(BatchNormTraining, NormalisesByTheBatchAndReportsIt) {
  auto op = std::make_shared<BatchNormTraining>();
  op->epsilon = 0;
  const std::vector<Given> inputs{floats({2, 1, 1, 2}, {1, 2, 3, 6}), floats({1}, {1}), floats({1}, {10})};
  // mean 3, biased variance (4 + 1 + 0 + 9) / 4 = 3.5
  expect_floats(run_operator(op, inputs, 0), {2, 1, 1, 2}, {8.930955f, 9.465478f, 10, 11.603567f}, 1e-4f);
  expect_floats(run_operator(op, inputs, 1), {1}, {3});
  expect_floats(run_operator(op, inputs, 2), {1}, {3.5f});
}

TEST(BatchNormTraining, KeepsTheVarianceOfValuesFarFromZero) {
  auto op = std::make_shared<BatchNormTraining>();
  expect_floats(
      run_operator(op, {floats({4, 1, 1, 1}, {4096, 4097, 4098, 4099}), floats({1}, {1}), floats({1}, {0})}, 2), {1},
      {1.25f}, 1e-5f);
}

TEST(BatchNormTraining, GradientsMatchFiniteDifferences) {
  expect_gradients(std::make_shared<BatchNormTraining>(),
                   {random_tensor({3, 5, 4, 4}, 1), random_tensor({5}, 2, 0.5f, 2), random_tensor({5}, 3)},
                   {true, true, true});
}

TEST(BatchNormTraining, GradientsPassTheFusedActivation) {
  auto op = std::make_shared<BatchNormTraining>();
  op->tail.activation = {Activation::Kind::leaky_relu, 0.3f, 0};
  // The bias keeps every channel on one side of the kink, which finite differences cannot cross.
  for (const float bias : {-6.0f, 5.0f}) {
    expect_gradients(
        op, {random_tensor({3, 5, 4, 4}, 1), random_tensor({5}, 2, 0.5f, 1), random_tensor({5}, 3, bias, bias + 1)},
        {true, true, true});
  }
}

TEST(BatchNorm, FixedStatisticsPassTheGradientToTheInputAlone) {
  expect_gradients(std::make_shared<BatchNorm>(),
                   {random_tensor({2, 3, 2, 2}, 1), random_tensor({3}, 2), random_tensor({3}, 3), random_tensor({3}, 4),
                    random_tensor({3}, 5, 0.5f, 1)},
                   {true, false, false, false, false});
}

}  // namespace
}  // namespace graft
