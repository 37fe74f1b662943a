// Operators that read pictures at places between pixels; ONNX's own tests compare them with its reference.
#include <limits>

#include "runtime/core/error.h"
#include "runtime/ops/affine_grid.h"
#include "runtime/ops/deform_convolution.h"
#include "runtime/ops/grid_sample.h"
#include "tests/runtime/run_operator.h"

namespace graft {
namespace {

OperatorPtr sampled(GridSample::Mode mode, GridSample::Padding padding, bool align_corners) {
  auto op = std::make_shared<GridSample>();
  op->mode = mode;
  op->padding = padding;
  op->align_corners = align_corners;
  return op;
}

const Given kRow = floats({1, 1, 1, 3}, {1, 2, 4});

TEST(GridSample, ReadsPixelsAndBetweenThem) {
  const Given grid = floats({1, 1, 4, 2}, {-1, 0, 0, 0, 0.5f, 0, 1, 0});
  expect_floats(run_operator(sampled(GridSample::Mode::linear, GridSample::Padding::zeros, true), {kRow, grid}),
                {1, 1, 1, 4}, {1, 2, 3, 4});
  expect_floats(run_operator(sampled(GridSample::Mode::nearest, GridSample::Padding::border, false), {kRow, grid}),
                {1, 1, 1, 4}, {1, 2, 4, 4});
}

TEST(GridSample, FillsMirrorsOrRepeatsWhatLiesOutside) {
  // Pixels -3 and 5: (2·pixel + 1)/3 - 1.
  const Given grid = floats({1, 1, 2, 2}, {-8.0f / 3, 0, 8.0f / 3, 0});
  const auto read = [&](GridSample::Padding padding) {
    return run_operator(sampled(GridSample::Mode::linear, padding, false), {kRow, grid});
  };
  expect_floats(read(GridSample::Padding::zeros), {1, 1, 1, 2}, {0, 0});
  expect_floats(read(GridSample::Padding::border), {1, 1, 1, 2}, {1, 4});
  expect_floats(read(GridSample::Padding::reflection), {1, 1, 1, 2}, {4, 1});
}

TEST(GridSample, TakesPlacesThatAreNoNumbersOrFarAwayAsOutside) {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN(), kFar = std::numeric_limits<float>::infinity();
  const Given grid = floats({1, 1, 4, 2}, {kNone, 0, kFar, 0, 1e30f, 0, 0, -1e30f});
  for (const auto mode : {GridSample::Mode::linear, GridSample::Mode::nearest, GridSample::Mode::cubic}) {
    expect_floats(run_operator(sampled(mode, GridSample::Padding::zeros, false), {kRow, grid}), {1, 1, 1, 4},
                  {0, 0, 0, 0});
    for (const auto padding : {GridSample::Padding::border, GridSample::Padding::reflection}) {
      const Tensor y = run_operator(sampled(mode, padding, true), {kRow, grid});
      for (float v : y.data<float>()) EXPECT_TRUE(std::isfinite(v));
    }
  }
}

TEST(GridSample, HasGradientsOfPicturesAndGrids) {
  // No place lies near a pixel's centre or edge, where slopes jump.
  Tensor grid(DType::f32, {2, 2, 3, 2});
  const float at[] = {-0.9f, -0.43f, 0.13f, 0.61f, 1.37f, -1.29f};
  for (size_t i = 0; i < 24; ++i) grid.data<float>()[i] = at[(i * 5) % 6];
  const Given places = std::move(grid);
  for (const auto padding : {GridSample::Padding::zeros, GridSample::Padding::border, GridSample::Padding::reflection})
    for (const bool align : {false, true})
      for (const auto mode : {GridSample::Mode::linear, GridSample::Mode::cubic})
        expect_gradients(sampled(mode, padding, align), {random_tensor({2, 3, 4, 5}, 1), places}, {true, true}, 1e-3f);
}

TEST(GridSample, RefusesVolumesAndGridsThatDoNotFit) {
  const auto op = sampled(GridSample::Mode::linear, GridSample::Padding::zeros, false);
  EXPECT_THROW(run_operator(op, {kRow, floats({2, 1, 1, 2}, {0, 0, 0, 0})}), Error);
  EXPECT_THROW(run_operator(op, {kRow, floats({1, 1, 1, 3}, {0, 0, 0})}), Error);
  EXPECT_THROW(run_operator(op, {floats({1, 1, 1, 1, 1}, {1}), floats({1, 1, 1, 1, 3}, {0, 0, 0})}), Error);
}

TEST(AffineGrid, HasTheGradientOfItsMatrices) {
  for (const bool align : {false, true}) {
    auto op = std::make_shared<AffineGrid>();
    op->align_corners = align;
    expect_gradients(op, {random_tensor({2, 2, 3}, 1), Tensor::of<int64_t>({4}, {2, 1, 3, 4})}, {true, false});
  }
}

TEST(DeformConvolution, WithoutShiftsIsAConvolution) {
  auto op = std::make_shared<DeformConvolution>();
  op->window.kernel = {2, 2};
  const Given x = floats({1, 1, 3, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8}), ones = floats({1, 1, 2, 2}, {1, 1, 1, 1});
  Tensor shifts = Tensor::zeros(DType::f32, {1, 8, 2, 2});
  expect_floats(run_operator(op, {x, ones, Given(shifts.clone())}), {1, 1, 2, 2}, {8, 12, 20, 24});
  for (float& v : shifts.data<float>().subspan(0, 4)) v = 0.5f;  // the first place of the kernel, half a row down
  expect_floats(run_operator(op, {x, ones, Given(shifts.clone())}), {1, 1, 2, 2}, {9.5f, 13.5f, 21.5f, 25.5f});
  EXPECT_THROW(run_operator(op, {x, ones, Given(Tensor(DType::f32, {1, 8, 3, 3}))}), Error);
}

}  // namespace
}  // namespace graft
