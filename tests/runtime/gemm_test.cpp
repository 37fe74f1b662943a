#include "runtime/ops/gemm.h"

#include "runtime/base/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(Gemm, MultipliesByTheTransposedWeightAndAddsTheBias) {
  auto op = std::make_shared<Gemm>();
  op->transpose_b = Transpose2d::yes;
  expect_floats(run_operator(op, {floats({1, 2}, {1, 2}), floats({3, 2}, {1, 0, 0, 1, 1, 1}), floats({3}, {10, 20, 30})}), {1, 3}, {11, 22, 33});
}

TEST(Gemm, ScalesProductAndBias) {
  auto op = std::make_shared<Gemm>();
  op->alpha = 2;
  op->beta = 0.5f;
  expect_floats(run_operator(op, {floats({1, 2}, {1, 2}), floats({2, 1}, {3, 4}), floats({1}, {8})}), {1, 1}, {26});
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
      const Shape a = ta == Transpose2d::no ? Shape{3, 4} : Shape{4, 3}, b = tb == Transpose2d::no ? Shape{4, 2} : Shape{2, 4};
      expect_gradients(op, {random_tensor(a, 1), random_tensor(b, 2), random_tensor({2}, 3)}, {true, true, true});
    }
  }
}

TEST(MatMul, BroadcastsTheBatch) {
  expect_floats(run_operator(std::make_shared<MatMul>(), {floats({2, 1, 2}, {1, 2, 3, 4}), floats({2, 1}, {10, 1})}), {2, 1, 1}, {12, 34});
}

TEST(MatMul, GradientsMatchFiniteDifferences) {
  expect_gradients(std::make_shared<MatMul>(), {random_tensor({3, 4}, 1), random_tensor({4, 2}, 2)}, {true, true});
}

}  // namespace
}  // namespace graft
