#include "runtime/ops/conv_transpose.h"
#include "runtime/ops/quantise.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

TEST(ConvTranspose, SpreadsEachPixelByTheKernel) {
  ConvTranspose op;
  op.window.kernel = {2, 2};
  op.window.stride = {2, 2};
  expect_floats(run_operator(std::make_shared<ConvTranspose>(op),
                             {floats({1, 1, 1, 2}, {1, 10}), floats({1, 1, 2, 2}, {1, 2, 3, 4})}),
                {1, 1, 2, 4}, {1, 2, 10, 20, 3, 4, 30, 40});
}

TEST(ConvTranspose, GradientsMatchFiniteDifferencesAlsoInGroups) {
  ConvTranspose op;
  op.window.kernel = {3, 3};
  op.window.stride = {2, 2};
  op.window.padding = {1, 1, 1, 1};
  op.output_padding = {1, 1};
  expect_gradients(std::make_shared<ConvTranspose>(op),
                   {random_tensor({2, 4, 3, 3}, 1), random_tensor({4, 3, 3, 3}, 2)}, {true, true});
  op.groups = 2;
  expect_gradients(std::make_shared<ConvTranspose>(op),
                   {random_tensor({2, 4, 3, 3}, 1), random_tensor({4, 3, 3, 3}, 2)}, {true, true});
}

TEST(Quantise, RoundsHalvesToEvenAndSaturates) {
  const Tensor y = run_operator(std::make_shared<Quantise>(),
                                {floats({5}, {0, 1, 3, 1000, -1000}), floats({}, {2}), Tensor::of<uint8_t>({}, {128})});
  EXPECT_EQ(std::vector<uint8_t>(y.data<uint8_t>().begin(), y.data<uint8_t>().end()),
            (std::vector<uint8_t>{128, 128, 130, 255, 0}));
}

TEST(Dequantise, ScalesAlongItsAxis) {
  expect_floats(run_operator(std::make_shared<Dequantise>(), {Tensor::of<int8_t>({1, 2, 1, 1}, {10, -10}),
                                                              floats({2}, {0.5f, 2}), Tensor::of<int8_t>({2}, {0, 2})}),
                {1, 2, 1, 1}, {5, -24});
}

}  // namespace
}  // namespace graft
