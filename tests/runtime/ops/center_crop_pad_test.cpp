#include "runtime/ops/center_crop_pad.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr centred(std::vector<int64_t> axes = {}) {
  auto op = std::make_shared<CenterCropPad>();
  op->axes = std::move(axes);
  return op;
}

Given extents(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

const Given kRow = floats({1, 4}, {1, 2, 3, 4});

TEST(CenterCropPad, KeepsTheMiddle) {
  expect_floats(run_operator(centred({1}), {kRow, extents({2})}), {1, 2}, {2, 3});
  expect_floats(run_operator(centred({-1}), {kRow, extents({1})}), {1, 1}, {2});
  expect_floats(run_operator(centred({1}), {kRow, extents({7})}), {1, 7}, {0, 1, 2, 3, 4, 0, 0});
  expect_floats(run_operator(centred(), {kRow, extents({2, 2})}), {2, 2}, {2, 3, 0, 0});
  expect_floats(run_operator(centred(), {kRow, extents({1, 4})}), {1, 4}, {1, 2, 3, 4});
}

TEST(CenterCropPad, RefusesExtentsThatDoNotFit) {
  EXPECT_THROW(run_operator(centred({1}), {kRow, extents({2, 2})}), Error);
  EXPECT_THROW(run_operator(centred({2}), {kRow, extents({2})}), Error);
  EXPECT_THROW(run_operator(centred({1}), {kRow, extents({-1})}), Error);
  EXPECT_THROW(run_operator(centred({1}), {kRow, extents({int64_t{1} << 40})}), Error);
}

}  // namespace
}  // namespace graft
