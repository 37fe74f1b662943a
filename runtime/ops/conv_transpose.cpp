#include "runtime/ops/conv_transpose.h"

#include "runtime/core/error.h"
#include "runtime/ops/convolution.h"
#include "runtime/ops/gradient.h"

namespace graft {
namespace {

// Past it, products of attributes could overflow; no published network comes near.
constexpr int64_t kLargestAttribute = 1 << 20;

/// One spatial dimension: extent of the result before padding is cut off it.
int64_t whole_extent(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t more) {
  return stride * (in - 1) + more + dilation * (kernel - 1) + 1;
}

}  // namespace

OperatorPtr ConvTranspose::resolved(std::span<const ValueType> inputs) const {
  if (window.auto_pad == AutoPad::given && output_shape.empty()) return nullptr;
  const Shape& x = inputs[0].shape;
  auto form = std::make_shared<ConvTranspose>(*this);
  form->output_shape.clear();
  form->window.auto_pad = AutoPad::given;
  const auto resolve = [&](size_t i, int64_t kernel, int64_t stride, int64_t dilation, int64_t& more, int64_t& before,
                           int64_t& after) {
    const int64_t wanted = output_shape.empty() ? x[2 + i] * stride : output_shape[i];
    const int64_t pads = whole_extent(x[2 + i], kernel, stride, dilation, more) - wanted;
    if (pads < 0) {  // larger than the formula gives: what is missing is output padding
      more -= pads;
      before = after = 0;
      return;
    }
    before = window.auto_pad == AutoPad::same_upper ? pads / 2 : pads - pads / 2;
    after = pads - before;
  };
  auto& w = form->window;
  resolve(0, w.kernel.height, w.stride.height, w.dilation.height, form->output_padding.height, w.padding.top,
          w.padding.bottom);
  resolve(1, w.kernel.width, w.stride.width, w.dilation.width, form->output_padding.width, w.padding.left,
          w.padding.right);
  return form;
}

std::vector<ValueType> ConvTranspose::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs an input and a weight");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  if (x.rank() != 4 || w.rank() != 4)
    throw Error("needs an input N×C×H×W and a weight C×K×R×S, found " + x.str() + " and " + w.str());
  if (x[1] != w[0] || groups < 1 || w[0] % groups != 0)
    throw Error("weight of " + w.str() + " in " + std::to_string(groups) + " groups does not fit " +
                std::to_string(x[1]) + " channels");
  if (w[2] != window.kernel.height || w[3] != window.kernel.width) throw Error("kernel_shape does not fit the weight");
  for (int64_t v : {window.kernel.height, window.kernel.width, window.stride.height, window.stride.width,
                    window.dilation.height, window.dilation.width})
    if (v < 1 || v > kLargestAttribute)
      throw Error("kernel, stride and dilation must lie in 1…1048576, found " + std::to_string(v));
  for (int64_t v : {window.padding.top, window.padding.left, window.padding.bottom, window.padding.right,
                    output_padding.height, output_padding.width})
    if (v < 0 || v > kLargestAttribute) throw Error("padding must lie in 0…1048576, found " + std::to_string(v));
  for (int64_t v : output_shape)
    if (v < 1 || v > kLargestAttribute) throw Error("output_shape must lie in 1…1048576, found " + std::to_string(v));
  if (!output_shape.empty() && output_shape.size() != 2) throw Error("output_shape must name height and width");
  if (const OperatorPtr form = resolved(inputs)) return form->infer(inputs);
  const int64_t height = whole_extent(x[2], w[2], window.stride.height, window.dilation.height, output_padding.height) -
                         window.padding.top - window.padding.bottom;
  const int64_t width = whole_extent(x[3], w[3], window.stride.width, window.dilation.width, output_padding.width) -
                        window.padding.left - window.padding.right;
  if (height < 1 || width < 1) throw Error("nothing is left of the result after padding");
  return {{inputs[0].dtype, Shape{x[0], w[1] * groups, height, width}}};
}

void ConvTranspose::differentiate(GradientBuilder& grad) const {
  const ValueId dy = grad.grad_output();
  if (grad.wanted(0)) {
    auto op = std::make_shared<Convolution>();
    op->window = window;
    op->groups = groups;
    grad.give(0, grad.emit(op, {dy, grad.input(1)}, "data"));
  }
  if (grad.wanted(1)) {
    auto op = std::make_shared<ConvolutionBackwardWeights>();
    op->window = window;
    op->groups = groups;
    op->weight_shape = grad.shape(grad.input(1));
    grad.give(1, grad.emit(op, {dy, grad.input(0)}, "weight"));
  }
}

int64_t ConvTranspose::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType>) const {
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  return x.elements() * w[1] * w[2] * w[3];
}

}  // namespace graft
