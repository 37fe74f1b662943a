#include "runtime/gradient.h"

#include "runtime/ops/binary.h"
#include "runtime/ops/unary.h"

namespace graft {

std::vector<ValueId> GradientBuilder::emit_all(OperatorPtr op, std::vector<ValueId> inputs, const std::string& suffix) {
  return graph_.add_node(node_.name + ":grad" + (suffix.empty() ? "" : "_" + suffix), std::move(op), std::move(inputs));
}

void GradientBuilder::give(size_t i, ValueId gradient) {
  ValueId& slot = grad_of_[static_cast<size_t>(input(i))];
  slot = slot == kNoValue ? gradient : emit(make_binary(Binary::Kind::add), {slot, gradient}, "sum");
}

ValueId GradientBuilder::through_epilogue(const Epilogue& epilogue) {
  const ValueId dz = activation_gradient(*this, epilogue.activation, output(), grad_output());
  const size_t last = node_.inputs.size() - 1;
  if (epilogue.residual && wanted(last)) give(last, dz);
  return dz;
}

}  // namespace graft
