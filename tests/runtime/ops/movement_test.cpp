#include "runtime/ops/movement.h"

#include "runtime/core/error.h"
#include "runtime/ops/reshape.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

Given ints(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

TEST(Flatten, KeepsOnnxOrderAlthoughPicturesLieChannelsLast) {
  expect_floats(run_operator(std::make_shared<Flatten>(), {floats({1, 2, 1, 2}, {1, 2, 3, 4})}), {1, 4}, {1, 2, 3, 4});
}

TEST(Reshape, CopiesZerosAndTakesTheRest) {
  expect_floats(run_operator(std::make_shared<Reshape>(), {floats({2, 3}, {1, 2, 3, 4, 5, 6}), ints({0, -1, 1})}),
                {2, 3, 1}, {1, 2, 3, 4, 5, 6});
}

TEST(Reshape, RefusesAnotherCount) {
  Reshape op;
  const Given target = ints({4});
  EXPECT_THROW(op.infer(std::vector<ValueType>{{DType::f32, {2, 3}}, {DType::i64, {1}, &*target}}), Error);
}

TEST(Transpose, MovesDimensions) {
  auto op = std::make_shared<Transpose>();
  op->permutation = {0, 2, 3, 1};
  expect_floats(run_operator(op, {floats({1, 2, 1, 2}, {1, 2, 3, 4})}), {1, 1, 2, 2}, {1, 3, 2, 4});
}

TEST(Concat, JoinsChannels) {
  expect_floats(
      run_operator(std::make_shared<Concat>(), {floats({1, 1, 1, 2}, {1, 2}), floats({1, 2, 1, 2}, {3, 4, 5, 6})}),
      {1, 3, 1, 2}, {1, 2, 3, 4, 5, 6});
}

TEST(Slice, StepsBackwards) {
  expect_floats(run_operator(std::make_shared<Slice>(),
                             {floats({4}, {1, 2, 3, 4}), ints({-1}), ints({-5}), ints({0}), ints({-2})}),
                {2}, {4, 2});
}

TEST(Pad, FillsWithItsValue) {
  expect_floats(run_operator(std::make_shared<Pad>(), {floats({1, 2}, {1, 2}), ints({0, 1, 1, 0}), floats({1}, {9})}),
                {2, 3}, {9, 1, 2, 9, 9, 9});
}

TEST(Pad, CropsBeforeItWraps) {
  auto op = std::make_shared<Pad>();
  op->mode = Pad::Mode::wrap;
  op->pads = {-1, 2};
  expect_floats(run_operator(op, {floats({6}, {0, 1, 2, 3, 4, 5})}), {7}, {1, 2, 3, 4, 5, 1, 2});  // ONNX Runtime's
}

TEST(Pad, HasAGradientInEveryMode) {
  for (const auto mode : {Pad::Mode::constant, Pad::Mode::reflect, Pad::Mode::edge, Pad::Mode::wrap})
    for (const std::vector<int64_t>& pads :
         {std::vector<int64_t>{0, 0, 2, 1, 0, 1, 1, 3}, {1, 0, -1, 2, 0, 0, 1, -1}}) {
      auto op = std::make_shared<Pad>();
      op->mode = mode;
      op->pads = pads;
      expect_gradients(op, {random_tensor({2, 2, 3, 4}, 1)}, {true});
    }
}

TEST(Pad, Reflects) {
  auto op = std::make_shared<Pad>();
  op->mode = Pad::Mode::reflect;
  op->pads = {2, 1};
  expect_floats(run_operator(op, {floats({3}, {1, 2, 3})}), {6}, {3, 2, 1, 2, 3, 2});
}

TEST(Gather, PicksByIndex) {
  auto op = std::make_shared<Gather>();
  op->axis = 1;
  expect_floats(run_operator(op, {floats({2, 3}, {1, 2, 3, 4, 5, 6}), ints({-1, 0})}), {2, 2}, {3, 1, 6, 4});
}

TEST(Expand, RepeatsExtentsOfOne) {
  expect_floats(run_operator(std::make_shared<Expand>(), {floats({2, 1}, {1, 2}), ints({2, 3})}), {2, 3},
                {1, 1, 1, 2, 2, 2});
}

TEST(Movement, GradientsMatchFiniteDifferences) {
  expect_gradients(std::make_shared<Flatten>(), {random_tensor({2, 3, 2, 2}, 1)}, {true});
  auto transpose = std::make_shared<Transpose>();
  transpose->permutation = {0, 3, 1, 2};
  expect_gradients(transpose, {random_tensor({2, 3, 4, 5}, 1)}, {true});
  expect_gradients(std::make_shared<Concat>(), {random_tensor({2, 3, 2, 2}, 1), random_tensor({2, 2, 2, 2}, 2)},
                   {true, false});
  auto slice = std::make_shared<Slice>();
  slice->starts = {1, 0};
  slice->ends = {3, 4};
  slice->axes = {1, 2};
  slice->steps = {1, 2};
  expect_gradients(slice, {random_tensor({2, 3, 4, 2}, 1)}, {true});
  auto pad = std::make_shared<Pad>();
  pad->pads = {0, 1, 0, 0, 0, 1, 2, 0};
  expect_gradients(pad, {random_tensor({2, 3, 4, 2}, 1)}, {true});
}

}  // namespace
}  // namespace graft
