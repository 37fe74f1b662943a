#include "runtime/ops/batch_norm.h"

#include "runtime/core/error.h"
#include "runtime/core/tensor.h"
#include "runtime/ops/binary.h"
#include "runtime/ops/gradient.h"

#include <cmath>

namespace graft {
namespace {

void check_channels(std::span<const ValueType> inputs, size_t first, size_t last) {
  const Shape& x = inputs[0].shape;
  if (x.rank() < 2) throw Error("needs an input with channels, found " + x.str());
  for (size_t i = first; i < last; ++i) {
    if (inputs[i].shape != Shape{x[1]}) {
      throw Error("parameter is " + inputs[i].shape.str() + " but its input has " + std::to_string(x[1]) + " channels");
    }
  }
}

}  // namespace

std::vector<ValueType> BatchNorm::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 5) throw Error("needs input, scale, bias, mean and variance");
  check_channels(inputs, 1, 5);
  if (tail.residual && (inputs.size() < 6 || inputs[5].shape != inputs[0].shape))
    throw Error("residual does not have the shape " + inputs[0].shape.str());
  return {{inputs[0].dtype, inputs[0].shape}};
}

OperatorPtr BatchNorm::with_epilogue(const Epilogue& epilogue) const {
  auto fused = std::make_shared<BatchNorm>(*this);
  fused->tail = epilogue;
  return fused;
}

void BatchNorm::differentiate(GradientBuilder& grad) const {
  for (size_t i = 1; i < 5; ++i)
    if (grad.wanted(i)) throw Error("parameters of a batch norm with fixed statistics cannot be trained");
  const ValueId dy = grad.through_epilogue(tail);
  if (!grad.wanted(0)) return;
  Graph& graph = grad.graph();
  const auto scale = graph.value(grad.input(1)).constant, variance = graph.value(grad.input(4)).constant;
  if (!scale || !variance) throw Error("scale and variance must be constants");
  const int64_t channels = scale->elements();
  Shape shape(static_cast<size_t>(grad.shape(grad.input(0)).rank()), 1);
  shape[1] = channels;
  Tensor slope(DType::f32, shape);
  for (int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<size_t>(c);
    slope.data<float>()[i] = scale->data<float>()[i] / std::sqrt(variance->data<float>()[i] + epsilon);
  }
  const ValueId slope_id = graph.add_constant(grad.node().name + ":slope", std::move(slope));
  grad.give(0, grad.emit(make_binary(Binary::Kind::mul), {dy, slope_id}));
}

std::vector<ValueType> BatchNormTraining::infer(std::span<const ValueType> inputs) const {
  if (inputs.size() < 3) throw Error("needs input, scale and bias");
  check_channels(inputs, 1, 3);
  const Shape& x = inputs[0].shape;
  if (x[0] * x.elements() / (x[0] * x[1]) < 2)
    throw Error("one value a channel has no variance", "use a larger " + mention("batch"));
  if (tail.residual && (inputs.size() < 4 || inputs[3].shape != x))
    throw Error("residual does not have the shape " + x.str());
  return {{inputs[0].dtype, x}, {inputs[0].dtype, Shape{x[1]}}, {inputs[0].dtype, Shape{x[1]}}};
}

OperatorPtr BatchNormTraining::with_epilogue(const Epilogue& epilogue) const {
  auto fused = std::make_shared<BatchNormTraining>(*this);
  fused->tail = epilogue;
  return fused;
}

void BatchNormTraining::differentiate(GradientBuilder& grad) const {
  auto op = std::make_shared<BatchNormGradient>();
  op->epsilon = epsilon;
  op->tail = tail;
  const auto results = grad.emit_all(op, {grad.grad_output(), grad.input(0), grad.input(1), grad.input(2),
                                          grad.output(1), grad.output(2), tail.residual ? grad.output(0) : kNoValue});
  for (size_t i = 0; i < 3; ++i)
    if (grad.wanted(i)) grad.give(i, results[i]);
  if (tail.residual && grad.wanted(3)) grad.give(3, results[3]);
}

std::vector<ValueType> BatchNormGradient::infer(std::span<const ValueType> inputs) const {
  const Shape& x = inputs[0].shape;
  std::vector<ValueType> types{{inputs[0].dtype, x}, {inputs[0].dtype, Shape{x[1]}}, {inputs[0].dtype, Shape{x[1]}}};
  if (tail.residual) types.push_back({inputs[0].dtype, x});
  return types;
}

OperatorPtr BatchNormTraining::recomputed_form(std::vector<ValueId>& inputs, std::span<const ValueId> outputs) const {
  auto apply = std::make_shared<BatchNorm>();
  apply->epsilon = epsilon;
  apply->tail = tail;
  inputs.insert(inputs.begin() + 3, outputs.begin() + 1, outputs.end());
  return apply;
}

}  // namespace graft
