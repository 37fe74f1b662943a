#include "runtime/ops/reverse_sequence.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr reversed(int64_t batch_axis, int64_t time_axis) {
  auto op = std::make_shared<ReverseSequence>();
  op->batch_axis = batch_axis;
  op->time_axis = time_axis;
  return op;
}

Given lengths(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

const Given kRows = floats({2, 3}, {0, 1, 2, 3, 4, 5});

TEST(ReverseSequence, ReversesTheFirstElementsOfEach) {
  expect_floats(run_operator(reversed(0, 1), {kRows, lengths({3, 2})}), {2, 3}, {2, 1, 0, 4, 3, 5});
  expect_floats(run_operator(reversed(0, 1), {kRows, lengths({3, 3})}), {2, 3}, {2, 1, 0, 5, 4, 3});
  expect_floats(run_operator(reversed(1, 0), {kRows, lengths({0, 2, 1})}), {2, 3}, {0, 4, 2, 3, 1, 5});
}

TEST(ReverseSequence, HasAGradient) {
  expect_gradients(reversed(0, 1), {random_tensor({2, 3, 2}, 1), lengths({3, 2})}, {true, false});
}

TEST(ReverseSequence, RefusesLengthsThatDoNotFit) {
  EXPECT_THROW(run_operator(reversed(0, 1), {kRows, lengths({4, 1})}), Error);
  EXPECT_THROW(run_operator(reversed(0, 1), {kRows, lengths({-1, 1})}), Error);
  EXPECT_THROW(run_operator(reversed(0, 1), {kRows, lengths({1})}), Error);
  EXPECT_THROW(run_operator(reversed(0, 0), {kRows, lengths({1, 1})}), Error);
}

}  // namespace
}  // namespace graft
