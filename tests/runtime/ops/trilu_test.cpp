#include "runtime/ops/trilu.h"

#include "runtime/core/error.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

Given number(int64_t value) { return Tensor::of<int64_t>({}, {value}); }

OperatorPtr trilu(bool upper) {
  auto op = std::make_shared<Trilu>();
  op->upper = upper;
  return op;
}

const Given kMatrix = floats({3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});

TEST(Trilu, KeepsWhatNumPyKeeps) {
  expect_floats(run_operator(trilu(true), {kMatrix}), {3, 4}, {1, 2, 3, 4, 0, 6, 7, 8, 0, 0, 11, 12});
  expect_floats(run_operator(trilu(false), {kMatrix}), {3, 4}, {1, 0, 0, 0, 5, 6, 0, 0, 9, 10, 11, 0});
}

TEST(Trilu, CountsDiagonalsFromTheMainOne) {
  expect_floats(run_operator(trilu(true), {kMatrix, number(2)}), {3, 4}, {0, 0, 3, 4, 0, 0, 0, 8, 0, 0, 0, 0});
  expect_floats(run_operator(trilu(false), {kMatrix, number(-1)}), {3, 4}, {0, 0, 0, 0, 5, 0, 0, 0, 9, 10, 0, 0});
  expect_floats(run_operator(trilu(true), {kMatrix, number(INT64_MIN)}), {3, 4},
                {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
}

TEST(Trilu, TakesEachMatrixOfABatchByItself) {
  expect_floats(run_operator(trilu(true), {floats({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}), {1, 2, 2, 2},
                {1, 2, 0, 4, 5, 6, 0, 8});
  const Tensor whole = run_operator(trilu(false), {Tensor::of<int64_t>({2, 2}, {1, 2, 3, 4})});
  EXPECT_EQ(std::vector<int64_t>(whole.data<int64_t>().begin(), whole.data<int64_t>().end()),
            (std::vector<int64_t>{1, 0, 3, 4}));
}

TEST(Trilu, GradientsMatchFiniteDifferences) {
  for (const bool upper : {false, true})
    expect_gradients(trilu(upper), {random_tensor({2, 2, 3, 4}, 1), number(1)}, {true, false});
}

TEST(Trilu, RefusesVectorsAndDiagonalsFromTheData) {
  Trilu op;
  EXPECT_THROW(op.infer(std::vector<ValueType>{{DType::f32, {3}}}), Error);
  EXPECT_THROW(op.infer(std::vector<ValueType>{{DType::f32, {3, 3}}, {DType::i64, {}}}), Error);
}

}  // namespace
}  // namespace graft
