#include "runtime/ops/pool.h"

#include "runtime/core/error.h"
#include "runtime/ops/reduce.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(MaxPool, TakesTheLargestAndIgnoresThePadding) {
  auto op = std::make_shared<MaxPool>();
  op->window.kernel = {2, 2};
  op->window.stride = {2, 2};
  op->window.padding = {1, 1, 0, 0};
  expect_floats(run_operator(op, {floats({1, 1, 3, 3}, {-1, -2, -3, -4, -5, -6, -7, -8, -9})}), {1, 1, 2, 2},
                {-1, -2, -4, -5});
}

TEST(MaxPool, RoundsUpWhenAsked) {
  auto op = std::make_shared<MaxPool>();
  op->window.kernel = {2, 2};
  op->window.stride = {2, 2};
  op->window.rounding = Rounding::ceil;
  expect_floats(run_operator(op, {floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9})}), {1, 1, 2, 2}, {5, 6, 8, 9});
}

TEST(MaxPool, GradientGoesToTheLargest) {
  auto op = std::make_shared<MaxPool>();
  op->window.kernel = {3, 3};
  op->window.stride = {2, 2};
  op->window.padding = {1, 1, 1, 1};
  const Graph unused;
  expect_gradients(op->training_form(), {random_tensor({2, 3, 7, 7}, 8, -10, 10)}, {true}, 1e-3f);
}

TEST(AveragePool, CountsOnlyThePictureUnlessTold) {
  auto op = std::make_shared<AveragePool>();
  op->window.kernel = {2, 2};
  op->window.padding = {1, 1, 0, 0};
  expect_floats(run_operator(op, {floats({1, 1, 2, 2}, {1, 2, 3, 4})}), {1, 1, 2, 2}, {1, 1.5f, 2, 2.5f});
  op->count = AveragePool::Count::padding_too;
  expect_floats(run_operator(op, {floats({1, 1, 2, 2}, {1, 2, 3, 4})}), {1, 1, 2, 2}, {0.25f, 0.75f, 1, 2.5f});
}

TEST(AveragePool, GradientsMatchFiniteDifferences) {
  auto op = std::make_shared<AveragePool>();
  op->window.kernel = {3, 2};
  op->window.stride = {2, 1};
  op->window.padding = {1, 0, 1, 1};
  expect_gradients(op, {random_tensor({2, 3, 5, 5}, 1)}, {true});
}

TEST(Window, RefusesAPictureThatIsTooSmall) {
  Window2d window;
  window.kernel = {7, 7};
  EXPECT_THROW(window.output({5, 5}), Error);
}

TEST(Reduce, GlobalAverageKeepsTheChannels) {
  auto op = std::make_shared<Reduce>();
  op->global_pool = true;
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {1, 3, 10, 30})}), {1, 2, 1, 1}, {2, 20});
}

TEST(Reduce, DropsDimensionsWhenAsked) {
  auto op = std::make_shared<Reduce>();
  op->kind = Reduce::Kind::sum;
  op->axes = {-1};
  op->keep_dims = false;
  expect_floats(run_operator(op, {floats({2, 2}, {1, 2, 3, 4})}), {2}, {3, 7});
}

TEST(Reduce, GradientsMatchFiniteDifferences) {
  for (const auto kind : {Reduce::Kind::mean, Reduce::Kind::sum}) {
    for (const bool keep : {true, false}) {
      auto op = std::make_shared<Reduce>();
      op->kind = kind;
      op->axes = {2, 3};
      op->keep_dims = keep;
      expect_gradients(op, {random_tensor({2, 3, 4, 4}, 1)}, {true});
    }
  }
}

}  // namespace
}  // namespace graft
