#include "runtime/ops/volume_pool.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

using Count = AveragePool::Count;

std::shared_ptr<VolumePool> pool(bool largest, Count count = Count::picture_only) {
  auto op = std::make_shared<VolumePool>();
  op->largest = largest;
  op->count = count;
  op->depth.kernel = {2, 1};
  op->plane.kernel = {2, 2};
  return op;
}

const Given kVolume = floats({1, 1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});

TEST(VolumePool, TakesTheLargestAndTheMeanOfBoxes) {
  expect_floats(run_operator(pool(true), {kVolume}), {1, 1, 1, 1, 1}, {7});
  expect_floats(run_operator(pool(false), {kVolume}), {1, 1, 1, 1, 1}, {3.5f});
}

TEST(VolumePool, CountsPaddingOrNot) {
  auto op = pool(false);
  op->depth.padding = {1, 0, 0, 0};
  expect_floats(run_operator(op, {kVolume}), {1, 1, 2, 1, 1}, {1.5f, 3.5f});
  op->count = Count::padding_too;
  expect_floats(run_operator(op, {kVolume}), {1, 1, 2, 1, 1}, {0.75f, 3.5f});
}

TEST(VolumePool, HasAGradient) {
  for (const auto count : {Count::picture_only, Count::padding_too}) {
    auto op = pool(false, count);
    op->plane.padding = {1, 0, 0, 1};
    op->depth.padding = {0, 0, 1, 0};
    expect_gradients(op, {random_tensor({2, 2, 3, 3, 4}, 1)}, {true});
  }
  expect_gradients(pool(true), {random_tensor({1, 2, 2, 2, 4}, 1)}, {true}, 1e-4f);
}

TEST(VolumePool, RefusesWindowsThatDoNotFit) {
  auto op = pool(true);
  op->depth.kernel.height = 3;
  EXPECT_THROW(run_operator(op, {kVolume}), Error);
  EXPECT_THROW(run_operator(pool(true), {floats({1, 1, 2, 2}, {0, 1, 2, 3})}), Error);
}

}  // namespace
}  // namespace graft
