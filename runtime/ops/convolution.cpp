#include "runtime/ops/convolution.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> Convolution::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 2) throw Error("needs an input and a weight");
  const Shape &x = inputs[0].shape, &w = inputs[1].shape;
  if (x.rank() != 4 || w.rank() != 4) {
    throw Error("only 2-D convolutions are supported: input is " + x.str() + ", weight is " + w.str());
  }
  if (groups < 1 || w[0] < 1 || w[0] % groups != 0 || x[1] % groups != 0) {
    throw Error("groups = " + std::to_string(groups) + " does not divide " + std::to_string(x[1]) + " input and " +
                std::to_string(w[0]) + " output channels");
  }
  if (x[1] != w[1] * groups) {
    throw Error("weight is " + w.str() + (groups > 1 ? " in " + std::to_string(groups) + " groups" : "") +
                    " but its input has " + std::to_string(x[1]) + " channels",
                "is this the right model?");
  }
  if (w[2] != window.kernel.height || w[3] != window.kernel.width)
    throw Error("kernel_shape does not match the weight " + w.str());
  if (inputs.size() > 2 && inputs[2].shape.rank() > 0 && inputs[2].shape != Shape{w[0]}) {
    throw Error("bias is " + inputs[2].shape.str() + " but there are " + std::to_string(w[0]) + " output channels");
  }
  const Extent2d out = window.output({x[2], x[3]});
  const Shape y{x[0], w[0], out.height, out.width};
  if (tail.residual && (inputs.size() < 4 || inputs[3].shape != y))
    throw Error("residual does not have the shape " + y.str());
  std::vector<ValueType> types{{inputs[0].dtype, y}};
  if (statistics) types.insert(types.end(), 2, {inputs[0].dtype, Shape{w[0]}});
  return types;
}

int64_t Convolution::multiply_adds(std::span<const ValueType> inputs, std::span<const ValueType> outputs) const {
  const Shape& w = inputs[1].shape;
  return outputs[0].shape.elements() * w[1] * w[2] * w[3];
}

OperatorPtr Convolution::with_epilogue(const Epilogue& epilogue) const {
  auto fused = std::make_shared<Convolution>(*this);
  fused->tail = epilogue;
  return fused;
}

OperatorPtr Convolution::resolved(std::span<const ValueType> inputs) const {
  if (window.auto_pad == AutoPad::given) return nullptr;
  auto form = std::make_shared<Convolution>(*this);
  form->window = window.resolved({inputs[0].shape[2], inputs[0].shape[3]});
  return form;
}

void Convolution::differentiate(GradientBuilder& grad) const {
  const ValueId dy = grad.through_epilogue(tail);
  const bool bias_wanted = grad.wanted(2);
  if (grad.wanted(1) || bias_wanted) {
    auto op = std::make_shared<ConvolutionBackwardWeights>();
    op->window = window;
    op->groups = groups;
    op->weight_shape = grad.shape(grad.input(1));
    op->bias = bias_wanted;
    const auto results = grad.emit_all(op, {grad.input_again(0), dy}, "weight");
    if (grad.wanted(1)) grad.give(1, results[0]);
    if (bias_wanted) grad.give(2, results[1]);
  }
  if (grad.wanted(0)) {
    auto op = std::make_shared<ConvolutionBackwardData>();
    op->window = window;
    op->groups = groups;
    op->input_shape = grad.shape(grad.input(0));
    grad.give(0, grad.emit(op, {dy, grad.input(1)}, "data"));
  }
}

OperatorPtr ConvolutionBackwardData::with_epilogue(const Epilogue& epilogue) const {
  auto fused = std::make_shared<ConvolutionBackwardData>(*this);
  fused->tail = epilogue;
  return fused;
}

std::vector<ValueType> ConvolutionBackwardData::infer(std::span<const ValueType> inputs) const {
  if (!norm) return {{inputs[0].dtype, input_shape}};
  const Shape channels{input_shape[1]};
  return {{inputs[0].dtype, input_shape}, {inputs[0].dtype, channels}, {inputs[0].dtype, channels}};
}

std::vector<ValueType> ConvolutionBackwardWeights::infer(std::span<const ValueType> inputs) const {
  std::vector<ValueType> types{{inputs[0].dtype, weight_shape}};
  if (bias) types.push_back({inputs[0].dtype, Shape{weight_shape[0]}});
  return types;
}

OperatorPtr Convolution::recomputed_form(std::vector<ValueId>&, std::span<const ValueId>) const {
  if (!statistics) return nullptr;
  auto bare = std::make_shared<Convolution>(*this);
  bare->statistics = false;
  return bare;
}

HalfOperands ConvolutionBackwardData::half_operands() const {
  if (!norm) return {OperandSet::all(), OperandSet::only({0})};
  const size_t mean = tail.residual ? 5 : 4;  // behind the norm's x and u
  return {OperandSet::all_but({mean, mean + 1}), OperandSet::only({0})};
}

}  // namespace graft
