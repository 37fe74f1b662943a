#include "runtime/ops/convolution.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

std::shared_ptr<Convolution> convolution(int64_t kernel, int64_t stride = 1, int64_t pad = 0, int64_t groups = 1) {
  auto op = std::make_shared<Convolution>();
  op->window.kernel = {kernel, kernel};
  op->window.stride = {stride, stride};
  op->window.padding = {pad, pad, pad, pad};
  op->groups = groups;
  return op;
}

TEST(Convolution, SlidesTheWindowWithoutFlippingIt) {
  const Given x = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), w = floats({1, 1, 2, 2}, {1, 0, 0, -1});
  expect_floats(run_operator(convolution(2), {x, w}), {1, 1, 2, 2}, {-4, -4, -4, -4});
}

TEST(Convolution, AddsTheBiasAndPadsWithZero) {
  const Given x = floats({1, 1, 2, 2}, {1, 2, 3, 4}), w = floats({1, 1, 3, 3}, {1, 1, 1, 1, 1, 1, 1, 1, 1}),
              b = floats({1}, {0.5f});
  expect_floats(run_operator(convolution(3, 1, 1), {x, w, b}), {1, 1, 2, 2}, {10.5f, 10.5f, 10.5f, 10.5f});
}

TEST(Convolution, PadsEachSideByItsOwnAmount) {
  auto op = convolution(2, 2);
  op->window.padding = {0, 0, 1, 1};
  const Given x = floats({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), w = floats({1, 1, 2, 2}, {1, 1, 1, 1});
  expect_floats(run_operator(op, {x, w}), {1, 1, 2, 2}, {12, 9, 15, 9});
}

TEST(Convolution, KeepsGroupsApart) {
  const Given x = floats({1, 2, 1, 1}, {2, 3}), w = floats({2, 1, 1, 1}, {10, 100});
  expect_floats(run_operator(convolution(1, 1, 0, 2), {x, w}), {1, 2, 1, 1}, {20, 300});
}

TEST(Convolution, AppliesTheFusedResidualBeforeTheActivation) {
  auto op = convolution(1);
  op->tail = {true, {Activation::Kind::relu, 0, 0}};
  const Given x = floats({1, 1, 1, 2}, {1, 2}), w = floats({1, 1, 1, 1}, {1}), b = floats({1}, {0}),
              r = floats({1, 1, 1, 2}, {-5, 3});
  expect_floats(run_operator(op, {x, w, b, r}), {1, 1, 1, 2}, {0, 5});
}

TEST(Convolution, NamesTheChannelsThatDoNotFit) {
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, {1, 4, 8, 8}),
                w = g.add_constant("w", Tensor::zeros(DType::f32, {64, 3, 7, 7}));
  try {
    g.add("conv1", convolution(7), {x, w});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "node \"conv1\" (Conv): weight is 64×3×7×7 but its input has 4 channels: is this the right model?");
  }
}

TEST(Convolution, AutomaticPaddingKeepsTheExtentDividedByTheStride) {
  auto op = convolution(3, 2);
  op->window.auto_pad = AutoPad::same_upper;
  const ValueType x{DType::f32, {1, 1, 4, 4}}, w{DType::f32, {1, 1, 3, 3}};
  EXPECT_EQ(op->infer(std::vector<ValueType>{x, w})[0].shape.str(), "1×1×2×2");
  const auto resolved = std::dynamic_pointer_cast<const Convolution>(op->resolved(std::vector<ValueType>{x, w}));
  EXPECT_EQ(resolved->window.padding.top, 0);
  EXPECT_EQ(resolved->window.padding.bottom, 1);
}

TEST(Convolution, GradientsMatchFiniteDifferences) {
  expect_gradients(convolution(3, 1, 1),
                   {random_tensor({2, 3, 5, 5}, 1), random_tensor({4, 3, 3, 3}, 2), random_tensor({4}, 3)},
                   {true, true, true});
}

TEST(Convolution, GradientsOfAStridedGroupedOneMatch) {
  expect_gradients(convolution(3, 2, 1, 2), {random_tensor({2, 4, 6, 6}, 1), random_tensor({6, 2, 3, 3}, 2)},
                   {true, true});
}

TEST(Convolution, GradientsPassTheFusedActivation) {
  auto op = convolution(1);
  op->tail.activation = {Activation::Kind::leaky_relu, 0.1f, 0};
  expect_gradients(op, {random_tensor({1, 2, 3, 3}, 4), random_tensor({3, 2, 1, 1}, 5), random_tensor({3}, 6, 1, 2)},
                   {true, true, true}, 1e-3f);
}

TEST(Convolution, OfNoPicturesIsEmpty) {
  auto op = std::make_shared<Convolution>();
  op->window.kernel = {3, 3};
  const Tensor y = run_operator(op, {random_tensor({0, 3, 8, 8}, 1), random_tensor({4, 3, 3, 3}, 2)});
  EXPECT_EQ(y.shape().str(), Shape({0, 4, 6, 6}).str());
}

}  // namespace
}  // namespace graft
