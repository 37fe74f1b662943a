#include "runtime/ops/pixel_rows.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> PixelsToRows::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape.rank() != 4) throw Error("needs an input N×C×H×W");
  const Shape& x = inputs[0].shape;
  return {{inputs[0].dtype, Shape{x[0] * x[2] * x[3], x[1]}}};
}

void PixelsToRows::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto back = std::make_shared<RowsToPixels>();
  back->picture = grad.shape(grad.input(0));
  grad.give(0, grad.emit(back, {grad.grad_output()}));
}

bool PixelsToRows::is_view(const ValueType& input, const Strides& from, const ValueType& output,
                           const Strides& to) const {
  return from == channels_last_strides(input.shape) && to == plain_strides(output.shape);
}

std::vector<ValueType> RowsToPixels::infer(std::span<const ValueType> inputs) const {
  if (inputs.empty() || inputs[0].shape != Shape{picture[0] * picture[2] * picture[3], picture[1]})
    throw Error("needs the rows of " + picture.str());
  return {{inputs[0].dtype, picture}};
}

void RowsToPixels::differentiate(GradientBuilder& grad) const {
  if (grad.wanted(0)) grad.give(0, grad.emit(std::make_shared<PixelsToRows>(), {grad.grad_output()}));
}

bool RowsToPixels::is_view(const ValueType& input, const Strides& from, const ValueType& output,
                           const Strides& to) const {
  return from == plain_strides(input.shape) && to == channels_last_strides(output.shape);
}

}  // namespace graft
