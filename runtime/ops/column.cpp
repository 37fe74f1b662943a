#include "runtime/ops/column.h"

#include <algorithm>

#include "runtime/core/error.h"
#include "runtime/ops/conv_transpose.h"
#include "runtime/ops/expansion.h"

namespace graft {
namespace {

Extent2d pair(const Tensor* values, const char* what) {
  if (!values || values->elements() != 2) throw Error(std::string(what) + " must be two constant numbers");
  const auto numbers = to_int64s(*values);
  if (numbers[0] < 1 || numbers[1] < 1) throw Error(std::string(what) + " must be above zero");
  return {numbers[0], numbers[1]};
}

/// The window with its kernel, and the places that it takes in an image.
struct Blocks {
  Window2d window;
  Extent2d image, places;
};

Blocks blocks_of(Window2d window, const Tensor* image_shape, const Tensor* block_shape) {
  const Extent2d image = pair(image_shape, "image_shape");
  window.kernel = pair(block_shape, "block_shape");
  return {window, image, window.output(image)};
}

}  // namespace

std::vector<ValueType> ColumnsToImage::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() != 3) throw Error("needs columns, image_shape and block_shape");
  const Blocks b = blocks_of(window, inputs[1].constant, inputs[2].constant);
  const Shape& x = inputs[0].shape;
  const int64_t block = b.window.kernel.height * b.window.kernel.width;
  if (x.rank() != 3 || x[1] % block != 0 || x[2] != b.places.height * b.places.width)
    throw Error("columns are " + x.str() + " where blocks of " + std::to_string(block) + " take " +
                std::to_string(b.places.height * b.places.width) + " places");
  return {{inputs[0].dtype, {x[0], x[1] / block, b.image.height, b.image.width}}};
}

ValueId ColumnsToImage::expand(Expansion& to) const {
  const Blocks b = blocks_of(window, to.known(to.input(1)), to.known(to.input(2)));
  const Extent2d kernel = b.window.kernel;
  const int64_t rows = to.shape(to.input(0))[1], block = kernel.height * kernel.width;
  constexpr int64_t kLargest = 1 << 26;
  if (block > kLargest / std::max<int64_t>(rows, 1))
    throw Error("blocks of " + std::to_string(block) + " are too large");
  Tensor weight = Tensor::zeros(DType::f32, {rows, 1, kernel.height, kernel.width});
  for (int64_t row = 0; row < rows; ++row) weight.data<float>()[static_cast<size_t>(row * block + row % block)] = 1;
  auto op = std::make_shared<ConvTranspose>();
  op->window = b.window;
  op->groups = rows / block;
  const auto reached = [](int64_t places, int64_t stride, int64_t dilation, int64_t extent, int64_t pads) {
    return stride * (places - 1) + dilation * (extent - 1) + 1 - pads;
  };
  const Padding2d& p = b.window.padding;
  op->output_padding = {b.image.height - reached(b.places.height, b.window.stride.height, b.window.dilation.height,
                                                 kernel.height, p.top + p.bottom),
                        b.image.width - reached(b.places.width, b.window.stride.width, b.window.dilation.width,
                                                kernel.width, p.left + p.right)};
  const ValueId maps = to.reshape(to.input(0), {0, rows, b.places.height, b.places.width});
  return to.emit(op, {maps, to.constant(std::move(weight))});
}

}  // namespace graft
