#include "runtime/ops/affine_grid.h"

#include "runtime/core/error.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/gemm.h"

namespace graft {
namespace {

constexpr int64_t kMostPixels = int64_t{1} << 26;

/// The i-th of `extent` pixel centres, in -1 to 1.
float centre(int64_t i, int64_t extent, bool align_corners) {
  if (align_corners) return extent > 1 ? -1 + 2 * static_cast<float>(i) / static_cast<float>(extent - 1) : 0.0f;
  return (2 * static_cast<float>(i) + 1) / static_cast<float>(extent) - 1;
}

}  // namespace

std::vector<ValueType> AffineGrid::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2 || !inputs[1].constant) throw Error("needs theta and a constant size");
  const Shape& theta = inputs[0].shape;
  const std::vector<int64_t> size = to_int64s(*inputs[1].constant);
  if (size.size() == 5)
    throw Error("makes the grid of a volume; only pictures are supported", {}, ErrorCode::unsupported);
  if (size.size() != 4 || theta.rank() != 3 || theta[1] != 2 || theta[2] != 3)
    throw Error("theta " + theta.str() + " does not fit a size of " + Shape(size).str());
  if (size[2] < 1 || size[3] < 1 || size[2] > kMostPixels / size[3])
    throw Error("a grid of " + Shape(size).str() + " has no sense");
  return {{inputs[0].dtype, {theta[0], size[2], size[3], 2}}};
}

ValueId AffineGrid::expand(Expansion& to) const {
  const int64_t height = to.output_shape()[1], width = to.output_shape()[2];
  Tensor centres(DType::f32, {1, height * width, 3});
  float* at = centres.data<float>().data();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      *at++ = centre(x, width, align_corners);
      *at++ = centre(y, height, align_corners);
      *at++ = 1;
    }
  const ValueId moved =
      to.emit(std::make_shared<MatMul>(), {to.constant(std::move(centres)), to.transpose(to.input(0), {0, 2, 1})});
  return to.reshape(moved, {-1, height, width, 2});
}

}  // namespace graft
