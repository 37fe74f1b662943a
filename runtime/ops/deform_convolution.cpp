#include "runtime/ops/deform_convolution.h"

#include "runtime/core/error.h"
#include "runtime/core/integer.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/expansion.h"
#include "runtime/ops/grid_sample.h"
#include "runtime/ops/movement.h"

namespace graft {
namespace {

bool is_given(std::span<const ValueType> inputs, size_t i) { return inputs.size() > i && !inputs[i].shape.empty(); }

}  // namespace

std::vector<ValueType> DeformConvolution::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 3) throw Error("needs x, a weight and offsets");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape, &offset = inputs[2].shape;
  if (x.rank() != 4 || w.rank() != 4)
    throw Error("only deformable convolutions over pictures are supported; x is " + x.str(), {},
                ErrorCode::unsupported);
  if (offset_groups < 1 || x[1] % offset_groups != 0)
    throw Error("an input of " + x.str() + " does not fall into " + std::to_string(offset_groups) + " offset groups");
  if (groups < 1 || x[1] % groups != 0 || x[1] / groups != w[1] || w[0] % groups != 0 || w[2] != window.kernel.height ||
      w[3] != window.kernel.width)
    throw Error("weight " + w.str() + " in " + std::to_string(groups) + " groups does not fit an input of " + x.str());
  const Extent2d y = window.output({x[2], x[3]});
  const int64_t places = checked_multiply(checked_multiply(offset_groups, w[2]), w[3]);
  if (offset != Shape{x[0], 2 * places, y.height, y.width})
    throw Error("offsets of " + offset.str() + " do not fit an input of " + x.str());
  if (is_given(inputs, 4) && inputs[4].shape != Shape{x[0], places, y.height, y.width})
    throw Error("a mask of " + inputs[4].shape.str() + " does not fit an input of " + x.str());
  return {{inputs[0].dtype, {x[0], w[0], y.height, y.width}}};
}

int64_t DeformConvolution::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const Shape& w = inputs[1].shape;
  return outputs[0].shape.elements() * w[1] * w[2] * w[3];
}

ValueId DeformConvolution::expand(Expansion& to) const {
  const Shape x = to.shape(to.input(0)), w = to.shape(to.input(1)), y = to.shape(to.input(2));
  const int64_t rows = y[2], columns = y[3], places = w[2] * w[3], channels = x[1] / offset_groups;

  // Where each place of the kernel lies without a shift, in GridSample's coordinates: (2·pixel + 1)/extent - 1.
  const auto coordinate = [](int64_t pixel, int64_t extent) {
    return (2 * static_cast<float>(pixel) + 1) / static_cast<float>(extent) - 1;
  };
  Tensor unmoved(DType::f32, {1, places, rows, columns, 2});
  float* at = unmoved.data<float>().data();
  for (int64_t place = 0; place < places; ++place)
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t row = i * window.stride.height - window.padding.top + place / w[3] * window.dilation.height;
        const int64_t column = j * window.stride.width - window.padding.left + place % w[3] * window.dilation.width;
        *at++ = coordinate(column, x[3]);
        *at++ = coordinate(row, x[2]);
      }
  const ValueId pixels =
      to.constant(Tensor::of<float>({2}, {2 / static_cast<float>(x[3]), 2 / static_cast<float>(x[2])}));

  const auto emit_binary = [&](Binary::Kind kind, ValueId a, ValueId b) { return to.emit(make_binary(kind), {a, b}); };
  auto swapped = std::make_shared<Gather>();
  swapped->axis = 4;
  const ValueId shifts =
      to.emit(swapped, {to.transpose(to.reshape(to.input(2), {-1, places, 2, rows, columns}), {0, 1, 3, 4, 2}),
                        to.constant(Tensor::of<int64_t>({2}, {1, 0}))});
  const ValueId grid =
      emit_binary(Binary::Kind::add, emit_binary(Binary::Kind::mul, shifts, pixels), to.constant(std::move(unmoved)));
  ValueId sampled = to.emit(std::make_shared<GridSample>(), {to.reshape(to.input(0), {-1, channels, x[2], x[3]}),
                                                             to.reshape(grid, {-1, places * rows, columns, 2})});
  if (to.input(4) != kNoValue)
    sampled = emit_binary(Binary::Kind::mul, sampled, to.reshape(to.input(4), {-1, 1, places * rows, columns}));

  auto product = std::make_shared<Convolution>();
  product->groups = groups;
  std::vector<ValueId> inputs{to.reshape(sampled, {-1, x[1] * places, rows, columns}),
                              to.reshape(to.input(1), {w[0], w[1] * places, 1, 1})};
  if (to.input(3) != kNoValue) inputs.push_back(to.input(3));
  return to.emit(product, inputs);
}

}  // namespace graft
