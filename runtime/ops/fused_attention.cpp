#include "runtime/ops/fused_attention.h"

#include "runtime/ops/gradient.h"

namespace graft {

std::vector<ValueType> FusedAttention::infer(std::span<const ValueType> inputs) const {
  const int64_t matrices = batch.elements();
  std::vector<ValueType> types{{inputs[0].dtype, {matrices * queries, value_width}}};
  if (keeps_sums) types.push_back({DType::f32, {matrices, 2 * queries}});
  return types;
}

std::shared_ptr<const Operator> FusedAttention::training_form() const {
  if (keeps_sums) return nullptr;
  auto form = std::make_shared<FusedAttention>(*this);
  form->keeps_sums = true;
  return form;
}

void FusedAttention::differentiate(GradientBuilder& grad) const {
  auto op = std::make_shared<FusedAttentionGradient>();
  op->forward = *this;
  std::vector<ValueId> inputs{grad.grad_output(), grad.output(), grad.output(1)};
  for (size_t i = 0; i < grad.input_count(); ++i) {
    inputs.push_back(grad.input(i));
    if (grad.wanted(i)) op->wanted.push_back(i);
  }
  if (op->wanted.empty()) return;
  const std::vector<size_t> wanted = op->wanted;
  const std::vector<ValueId> gradients = grad.emit_all(std::move(op), std::move(inputs));
  for (size_t i = 0; i < wanted.size(); ++i) grad.give(wanted[i], gradients[i]);
}

int64_t FusedAttention::multiply_adds(std::span<const ValueType>, std::span<const ValueType>) const {
  return batch.elements() * queries * keys * (width + value_width);
}

std::vector<int64_t> FusedAttention::offsets(int64_t first, const Strides& strides) const {
  std::vector<int64_t> list{first};
  for (size_t d = 0; d < batch.size(); ++d) {
    std::vector<int64_t> next;
    next.reserve(list.size() * static_cast<size_t>(batch[d]));
    for (const int64_t base : list)
      for (int64_t i = 0; i < batch[d]; ++i) next.push_back(base + i * strides[d]);
    list = std::move(next);
  }
  return list;
}

std::vector<ValueType> FusedAttentionGradient::infer(std::span<const ValueType> inputs) const {
  std::vector<ValueType> types;
  for (const size_t i : wanted) types.push_back({inputs[3 + i].dtype, inputs[3 + i].shape});
  return types;
}

int64_t FusedAttentionGradient::multiply_adds(std::span<const ValueType>, std::span<const ValueType>) const {
  return forward.batch.elements() * forward.queries * forward.keys * (3 * forward.width + 2 * forward.value_width);
}

}  // namespace graft
