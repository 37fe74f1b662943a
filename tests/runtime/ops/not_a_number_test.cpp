// NaN stays visible: a run that diverges is seen to diverge. What ONNX Runtime gives where it depends on the order of
// its loops (the middle of a pooling window, say) is NaN here, too.
#include <cmath>
#include <limits>

#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gemm.h"
#include "runtime/ops/pool.h"
#include "runtime/ops/reduce.h"
#include "runtime/ops/selection.h"
#include "runtime/ops/unary.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Where NaN stands in y, and nowhere else.
void expect_nan_at(const Tensor& y, const std::vector<bool>& expected) {
  ASSERT_EQ(static_cast<size_t>(y.elements()), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(std::isnan(y.data<float>()[i]), expected[i]) << "at " << i;
}

TEST(NotANumber, PassesActivations) {
  for (const auto kind : {Unary::Kind::relu, Unary::Kind::clip, Unary::Kind::leaky_relu}) {
    const auto op = make_unary(kind, kind == Unary::Kind::clip ? 0.0f : 0.1f, 6);
    Tensor x = Tensor::zeros(DType::f32, {1, 40, 1, 1});  // whole registers, and what is left of one
    x.data<float>()[3] = x.data<float>()[39] = kNan;
    std::vector<bool> expected(40, false);
    expected[3] = expected[39] = true;
    expect_nan_at(run_operator(op, {std::move(x)}), expected);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  expect_floats(run_operator(make_unary(Unary::Kind::relu), {floats({2}, {-infinity, infinity})}), {2}, {0, infinity});
}

TEST(NotANumber, PassesActivationsInsideProducts) {
  auto convolution = std::make_shared<Convolution>();
  convolution->window.kernel = {1, 1};
  convolution->tail.activation.kind = Activation::Kind::relu;
  expect_nan_at(run_operator(convolution, {floats({1, 1, 1, 3}, {-1, kNan, 2}), floats({1, 1, 1, 1}, {1})}),
                {false, true, false});
  auto grouped = std::make_shared<Convolution>(*convolution);  // oneDNN's
  grouped->window.kernel = {3, 3};
  grouped->window.padding = {1, 1, 1, 1};
  grouped->groups = 2;
  grouped->tail.activation = {Activation::Kind::clip, 0, 6};
  Tensor x = Tensor::zeros(DType::f32, {1, 2, 1, 3});
  x.data<float>()[0] = kNan;
  expect_nan_at(run_operator(grouped, {std::move(x), random_tensor({2, 1, 3, 3}, 1)}),
                {true, true, false, false, false, false});
  auto dense = std::make_shared<Gemm>();
  dense->tail.activation.kind = Activation::Kind::relu;
  expect_nan_at(run_operator(dense, {floats({2, 1}, {kNan, 1}), floats({1, 2}, {1, 1})}), {true, true, false, false});
}

TEST(NotANumber, WinsMaximaAndMinima) {
  const Given a = floats({3}, {kNan, 1, 2}), b = floats({3}, {1, kNan, 3});
  for (const auto kind : {Binary::Kind::max, Binary::Kind::min}) {
    auto op = std::make_shared<Binary>();
    op->kind = kind;
    expect_nan_at(run_operator(op, {a, b}), {true, true, false});
  }
  for (const auto kind : {Reduce::Kind::max, Reduce::Kind::min}) {
    auto op = std::make_shared<Reduce>();
    op->kind = kind;
    op->axes = {1};
    op->keep_dims = false;
    expect_nan_at(run_operator(op, {floats({2, 3}, {1, kNan, 3, 4, 5, 6})}), {true, false});
  }
  auto pool = std::make_shared<MaxPool>();
  pool->window.kernel = {1, 2};
  expect_nan_at(run_operator(pool, {floats({1, 1, 1, 4}, {1, kNan, 2, 3})}), {true, true, false});
}

TEST(NotANumber, IsTheLargestOfASelection) {
  auto largest = std::make_shared<ArgExtreme>();
  largest->axis = 0;
  EXPECT_EQ(run_operator(largest, {floats({4}, {1, kNan, 3, kNan})}).data<int64_t>()[0], 1);
  largest->last = true;
  EXPECT_EQ(run_operator(largest, {floats({4}, {1, kNan, 3, kNan})}).data<int64_t>()[0], 3);
  auto top = std::make_shared<TopK>();
  top->axis = 0;
  top->k = 2;
  const Tensor places = run_operator(top, {floats({4}, {1, 5, kNan, 3})}, 1);
  EXPECT_EQ(places.data<int64_t>()[0], 2);
  EXPECT_EQ(places.data<int64_t>()[1], 1);
}

}  // namespace
}  // namespace graft
