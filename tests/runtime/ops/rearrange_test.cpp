#include "runtime/ops/rearrange.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/resize.h"
#include "runtime/ops/selection.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

Given whole(Shape shape, std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>(std::move(shape), values);
}

void expect_whole(const Tensor& actual, const Shape& shape, const std::vector<int64_t>& expected) {
  ASSERT_EQ(actual.shape().str(), shape.str());
  EXPECT_EQ(std::vector<int64_t>(actual.data<int64_t>().begin(), actual.data<int64_t>().end()), expected);
}

TEST(SplitSlice, TakesItsPieceAndTheLastMayBeShorter) {
  SplitSlice part;
  part.axis = 1;
  part.count = 2;
  part.index = 1;
  const Given x = floats({1, 3, 1, 2}, {1, 2, 3, 4, 5, 6});
  expect_floats(run_operator(std::make_shared<SplitSlice>(part), {x}), {1, 1, 1, 2}, {5, 6});
  part.known = SplitSlice::piece(std::vector<int64_t>{1, 2}, part.index, 2);
  expect_floats(run_operator(std::make_shared<SplitSlice>(part), {x}), {1, 2, 1, 2}, {3, 4, 5, 6});
  expect_gradients(std::make_shared<SplitSlice>(part), {random_tensor({2, 3, 2, 2}, 1)}, {true});
  part.known = SplitSlice::piece(std::vector<int64_t>{1, 1}, part.index, 2);
  EXPECT_THROW(run_operator(std::make_shared<SplitSlice>(part), {x}), Error);
}

TEST(Tile, RepeatsEachDimension) {
  const auto op = std::make_shared<Tile>();
  expect_floats(run_operator(op, {floats({1, 2}, {1, 2}), whole({2}, {2, 2})}), {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2});
  expect_gradients(op, {random_tensor({2, 3}, 1), whole({2}, {2, 3})}, {true, false});
}

TEST(DepthSpace, MovesBlocksBothWays) {
  DepthSpace op;
  op.block = 2;
  const Given deep = floats({1, 4, 1, 1}, {1, 2, 3, 4});
  expect_floats(run_operator(std::make_shared<DepthSpace>(op), {deep}), {1, 1, 2, 2}, {1, 2, 3, 4});
  op.to_depth = true;
  expect_floats(run_operator(std::make_shared<DepthSpace>(op), {floats({1, 1, 2, 2}, {1, 2, 3, 4})}), {1, 4, 1, 1},
                {1, 2, 3, 4});
  for (const bool channel_first : {false, true}) {
    op.channel_first = channel_first;
    expect_gradients(std::make_shared<DepthSpace>(op), {random_tensor({2, 3, 4, 2}, 1)}, {true});
  }
}

TEST(Gather, AddsTheGradientsOfWhatIsTakenTwice) {
  auto op = std::make_shared<Gather>();
  op->axis = 1;
  expect_gradients(op, {random_tensor({2, 3, 2, 2}, 1), whole({4}, {0, 2, 2, -1})}, {true, false});
}

TEST(ArgExtreme, FindsTheFirstOrTheLast) {
  ArgExtreme op;
  op.axis = 1;
  const Given x = floats({1, 4}, {1, 7, 7, 0});
  expect_whole(run_operator(std::make_shared<ArgExtreme>(op), {x}), {1, 1}, {1});
  op.last = true;
  op.keep_dims = false;
  expect_whole(run_operator(std::make_shared<ArgExtreme>(op), {x}), {1}, {2});
  op.largest = false;
  expect_whole(run_operator(std::make_shared<ArgExtreme>(op), {x}), {1}, {3});
}

TEST(TopK, SortsTheBestFirst) {
  const auto op = std::make_shared<TopK>();
  const Given x = floats({2, 3}, {1, 3, 2, 6, 4, 5}), k = whole({1}, {2});
  expect_floats(run_operator(op, {x, k}), {2, 2}, {3, 2, 6, 5});
  expect_gradients(op, {floats({2, 3}, {1, 3, 2, 6, 4, 5}), k}, {true, false});
}

TEST(Hardmax, MarksTheFirstMaximum) {
  expect_floats(run_operator(std::make_shared<Hardmax>(), {floats({1, 3}, {1, 5, 5})}), {1, 3}, {0, 1, 0});
}

TEST(CumSum, RunsEitherWay) {
  CumSum op;
  const Given x = floats({4}, {1, 2, 3, 4}), axis = whole({}, {0});
  expect_floats(run_operator(std::make_shared<CumSum>(op), {x, axis}), {4}, {1, 3, 6, 10});
  op.exclusive = op.reverse = true;
  expect_floats(run_operator(std::make_shared<CumSum>(op), {x, axis}), {4}, {9, 7, 4, 0});
  expect_gradients(std::make_shared<CumSum>(op), {random_tensor({3, 4}, 1), axis}, {true, false});
}

TEST(Resize, InterpolatesAndItsGradientIsTheTranspose) {
  Resize op;
  op.scales = {1, 1, 2, 2};
  expect_floats(run_operator(std::make_shared<Resize>(op), {floats({1, 1, 1, 2}, {1, 2})}), {1, 1, 2, 4},
                {1, 1, 2, 2, 1, 1, 2, 2});
  op.mode = Resize::Mode::linear;
  expect_floats(run_operator(std::make_shared<Resize>(op), {floats({1, 1, 1, 2}, {1, 2})}), {1, 1, 2, 4},
                {1, 1.25f, 1.75f, 2, 1, 1.25f, 1.75f, 2});
  for (const auto mode : {Resize::Mode::nearest, Resize::Mode::linear, Resize::Mode::cubic}) {
    Resize shape = op;
    shape.mode = mode;
    shape.scales = {1, 1, 0.6f, 1.7f};
    expect_gradients(std::make_shared<Resize>(shape), {random_tensor({2, 3, 5, 4}, 1)}, {true});
  }
}

TEST(Resize, RefusesScalesThatDoNotFit) {
  Resize op;
  op.scales = {1, 2};
  EXPECT_THROW(run_operator(std::make_shared<Resize>(op), {floats({1, 1, 1, 2}, {1, 2})}), Error);
}

}  // namespace
}  // namespace graft
