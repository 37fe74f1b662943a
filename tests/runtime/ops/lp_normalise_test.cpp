#include "runtime/ops/lp_normalise.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr lp(int64_t p, int64_t axis) {
  auto op = std::make_shared<LpNormalise>();
  op->p = p;
  op->axis = axis;
  return op;
}

TEST(LpNormalise, DividesByTheNormOfEachRow) {
  const Given x = floats({2, 2}, {3, -4, -6, 8});
  expect_floats(run_operator(lp(2, -1), {x}), {2, 2}, {0.6f, -0.8f, -0.6f, 0.8f});
  expect_floats(run_operator(lp(1, 1), {x}), {2, 2}, {3.0f / 7, -4.0f / 7, -6.0f / 14, 8.0f / 14});
  expect_floats(run_operator(lp(1, 0), {x}), {2, 2}, {3.0f / 9, -4.0f / 12, -6.0f / 9, 8.0f / 12});
}

/// "When the Lp norm is zero, the output is defined to be zero." [ONNX LpNormalization-22]
TEST(LpNormalise, IsZeroWhereTheNormIs) {
  for (const int64_t p : {1, 2})
    expect_floats(run_operator(lp(p, -1), {floats({2, 2}, {0, 0, 0, 1})}), {2, 2}, {0, 0, 0, 1});
}

TEST(LpNormalise, GradientIsZeroWhereTheNormIs) {
  LpNormaliseGradient gradient;
  gradient.forward.p = 2;
  expect_floats(run_operator(std::make_shared<LpNormaliseGradient>(gradient),
                             {floats({2, 2}, {1, 2, 1, 2}), floats({2, 2}, {0, 0, 0, 2})}),
                {2, 2}, {0, 0, 0.5f, 0});
}

TEST(LpNormalise, GradientsMatchFiniteDifferences) {
  for (const int64_t p : {1, 2}) {
    expect_gradients(lp(p, 1), {random_tensor({2, 4, 3, 2}, 1, 0.2f, 1)}, {true});
    expect_gradients(lp(p, 0), {random_tensor({5, 3}, 2, -1, -0.2f)}, {true});
  }
}

TEST(LpNormalise, RefusesOtherNorms) {
  EXPECT_THROW(lp(3, -1)->infer(std::vector<ValueType>{{DType::f32, {2, 2}}}), Error);
}

}  // namespace
}  // namespace graft
