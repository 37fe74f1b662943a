#include "runtime/ops/gradient.h"

#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"

namespace graft {

std::vector<ValueId> GradientBuilder::emit_all(OperatorPtr op, std::vector<ValueId> inputs, const std::string& suffix) {
  return graph_.add_node(node_.name + ":grad" + (suffix.empty() ? "" : "_" + suffix), std::move(op), std::move(inputs));
}

void GradientBuilder::give(size_t i, ValueId gradient) {
  ValueId& slot = state_.grad_of[static_cast<size_t>(input(i))];
  slot = slot == kNoValue ? gradient : emit(make_binary(Binary::Kind::add), {slot, gradient}, "sum");
}

ValueId GradientBuilder::input_again(size_t i) {
  const ValueId id = input(i);
  if (const auto known = state_.recomputed.find(id); known != state_.recomputed.end()) return known->second;
  const int source = static_cast<size_t>(id) < state_.producer.size() ? state_.producer[static_cast<size_t>(id)] : -1;
  if (source < 0) return id;
  const Node made_by = graph_.nodes[static_cast<size_t>(source)];
  if (!made_by.op->is_cheap_to_recompute() || id != made_by.outputs[0]) return id;
  std::vector<ValueId> inputs = made_by.inputs;
  OperatorPtr again = made_by.op->recomputed_form(inputs, made_by.outputs);
  if (!again) again = made_by.op;
  const ValueId copy = graph_.add(made_by.name + ":again", std::move(again), std::move(inputs));
  state_.recomputed[id] = copy;
  return copy;
}

ValueId GradientBuilder::through_epilogue(const Epilogue& epilogue) {
  const ValueId dz = activation_gradient(*this, epilogue.activation, output(), grad_output());
  const size_t last = node_.inputs.size() - 1;
  if (epilogue.residual && wanted(last)) give(last, dz);
  return dz;
}

}  // namespace graft
