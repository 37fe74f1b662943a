#include "runtime/ops/pool.h"

#include "runtime/core/error.h"
#include "runtime/ops/gradient.h"

namespace graft {
namespace {

Shape pooled(const Window2d& window, std::span<const ValueType> inputs) {
  if (inputs.empty() || inputs[0].shape.rank() != 4) {
    throw Error("only 2-D pooling is supported: input is " + (inputs.empty() ? "absent" : inputs[0].shape.str()));
  }
  const Shape& x = inputs[0].shape;
  const Extent2d out = window.output({x[2], x[3]});
  return {x[0], x[1], out.height, out.width};
}

}  // namespace

std::vector<ValueType> MaxPool::infer(std::span<const ValueType> inputs) const {
  const Shape y = pooled(window, inputs);
  const Padding2d& p = window.padding;
  const int64_t reach_h = window.dilation.height * (window.kernel.height - 1) + 1,
                reach_w = window.dilation.width * (window.kernel.width - 1) + 1;
  if (p.top >= reach_h || p.left >= reach_w) {
    throw Error("padding is as large as the window");
  }
  std::vector<ValueType> types{{inputs[0].dtype, y}};
  if (keep_positions) types.push_back({DType::i32, y});
  return types;
}

OperatorPtr MaxPool::training_form() const {
  if (keep_positions) return nullptr;
  auto form = std::make_shared<MaxPool>(*this);
  form->keep_positions = true;
  return form;
}

OperatorPtr MaxPool::resolved(std::span<const ValueType> inputs) const {
  if (window.auto_pad == AutoPad::given) return nullptr;
  auto form = std::make_shared<MaxPool>(*this);
  form->window = window.resolved({inputs[0].shape[2], inputs[0].shape[3]});
  return form;
}

void MaxPool::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  if (!keep_positions) throw Error("positions of the maxima were not kept");
  auto op = std::make_shared<MaxPoolGradient>();
  op->window = window;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output(), grad.output(1)}));
}

std::vector<ValueType> AveragePool::infer(std::span<const ValueType> inputs) const {
  return {{inputs[0].dtype, pooled(window, inputs)}};
}

OperatorPtr AveragePool::resolved(std::span<const ValueType> inputs) const {
  if (window.auto_pad == AutoPad::given) return nullptr;
  auto form = std::make_shared<AveragePool>(*this);
  form->window = window.resolved({inputs[0].shape[2], inputs[0].shape[3]});
  return form;
}

void AveragePool::differentiate(GradientBuilder& grad) const {
  if (!grad.wanted(0)) return;
  auto op = std::make_shared<AveragePoolGradient>();
  op->window = window;
  op->count = count;
  op->input_shape = grad.shape(grad.input(0));
  grad.give(0, grad.emit(op, {grad.grad_output()}));
}

}  // namespace graft
