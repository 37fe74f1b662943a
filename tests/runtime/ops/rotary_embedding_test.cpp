#include "runtime/ops/rotary_embedding.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr rotary(int64_t heads, int64_t width = 0, bool interleaved = false) {
  auto op = std::make_shared<RotaryEmbedding>();
  op->heads = heads;
  op->width = width;
  op->interleaved = interleaved;
  return op;
}

Given positions(Shape shape, std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>(std::move(shape), values);
}

// One head of four numbers; rows of no turn and of a quarter.
const Given kCosines = floats({2, 2}, {1, 1, 0, 0}), kSines = floats({2, 2}, {0, 0, 1, 1}),
            kTokens = floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});

TEST(RotaryEmbedding, TurnsPairs) {
  const Given by_place = positions({1, 2}, {0, 1});
  expect_floats(run_operator(rotary(1), {kTokens, kCosines, kSines, by_place}), {1, 2, 4}, {1, 2, 3, 4, -7, -8, 5, 6});
  expect_floats(run_operator(rotary(1, 0, true), {kTokens, kCosines, kSines, by_place}), {1, 2, 4},
                {1, 2, 3, 4, -6, 5, -8, 7});
  // From an offset; and of a part of each head.
  expect_floats(run_operator(rotary(1), {kTokens, kCosines, kSines, positions({1}, {0})}), {1, 2, 4},
                {1, 2, 3, 4, -7, -8, 5, 6});
  expect_floats(run_operator(rotary(1, 2), {kTokens, floats({2, 1}, {1, 0}), floats({2, 1}, {0, 1}), by_place}),
                {1, 2, 4}, {1, 2, 3, 4, -6, 5, 7, 8});
}

TEST(RotaryEmbedding, HasAGradient) {
  expect_gradients(rotary(2),
                   {random_tensor({2, 3, 8}, 1), random_tensor({4, 2}, 2), random_tensor({4, 2}, 3),
                    positions({2, 3}, {0, 1, 2, 3, 3, 1})},
                   {true, true, true, false});
}

TEST(RotaryEmbedding, RefusesTablesThatDoNotFit) {
  for (const Given& place :
       {positions({1}, {1}), positions({1}, {-1}), positions({1}, {INT64_MAX}), positions({2}, {0, 1})})
    EXPECT_THROW(run_operator(rotary(1), {kTokens, kCosines, kSines, place}), Error);
  EXPECT_THROW(run_operator(rotary(1), {kTokens, floats({2, 0}, {}), floats({2, 0}, {}), positions({1}, {0})}), Error);
  EXPECT_THROW(run_operator(rotary(1), {kTokens, random_tensor({3, 2, 2}, 1), random_tensor({3, 2, 2}, 1)}), Error);
  EXPECT_THROW(run_operator(rotary(3), {kTokens, kCosines, kSines, positions({1}, {0})}), Error);
}

}  // namespace
}  // namespace graft
