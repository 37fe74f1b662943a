#include "runtime/ops/gather_nd.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

Given indices(Shape shape, std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>(std::move(shape), values);
}

OperatorPtr gather(int64_t batch_dims = 0) {
  auto op = std::make_shared<GatherND>();
  op->batch_dims = batch_dims;
  return op;
}

const Given kCube = floats({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});

/// The examples of ONNX's definition.
TEST(GatherND, TakesElementsAndSlices) {
  const Given square = floats({2, 2}, {0, 1, 2, 3});
  expect_floats(run_operator(gather(), {square, indices({2, 2}, {0, 0, 1, 1})}), {2}, {0, 3});
  expect_floats(run_operator(gather(), {square, indices({2, 1}, {1, 0})}), {2, 2}, {2, 3, 0, 1});
  expect_floats(run_operator(gather(), {kCube, indices({2, 2}, {0, 1, 1, 0})}), {2, 2}, {2, 3, 4, 5});
  expect_floats(run_operator(gather(), {kCube, indices({2, 1, 2}, {0, 1, 1, 0})}), {2, 1, 2}, {2, 3, 4, 5});
}

TEST(GatherND, RunsBatchesSideBySide) {
  expect_floats(run_operator(gather(1), {kCube, indices({2, 1}, {1, 0})}), {2, 2}, {2, 3, 4, 5});
  expect_floats(run_operator(gather(2), {kCube, indices({2, 2, 1}, {1, 0, 0, -1})}), {2, 2}, {1, 2, 4, 7});
}

TEST(GatherND, CountsNegativeCoordinatesFromTheEndAndRefusesThoseOutside) {
  expect_floats(run_operator(gather(), {kCube, indices({1, 3}, {-1, -2, -1})}), {1}, {5});
  EXPECT_THROW(run_operator(gather(), {kCube, indices({1, 1}, {2})}), Error);
  EXPECT_THROW(run_operator(gather(), {kCube, indices({1, 1}, {-3})}), Error);
}

TEST(GatherND, RefusesIndicesThatDoNotFit) {
  EXPECT_THROW(run_operator(gather(), {kCube, indices({1, 4}, {0, 0, 0, 0})}), Error);
  EXPECT_THROW(run_operator(gather(1), {kCube, indices({3, 1}, {0, 0, 0})}), Error);
  EXPECT_THROW(run_operator(gather(3), {kCube, indices({2, 2, 1}, {0, 0, 0, 0})}), Error);
}

TEST(GatherND, AddsTheGradientsOfWhatIsTakenTwice) {
  expect_gradients(gather(), {random_tensor({2, 3, 2, 2}, 1), indices({3, 2}, {0, 2, 1, -1, 0, 2})}, {true, false});
  expect_gradients(gather(1), {random_tensor({2, 3, 4}, 1), indices({2, 2, 1}, {2, 2, 0, 1})}, {true, false});
}

}  // namespace
}  // namespace graft
