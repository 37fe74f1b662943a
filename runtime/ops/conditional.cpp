#include "runtime/ops/conditional.h"

#include "runtime/core/error.h"

namespace graft {

std::vector<size_t> If::chosen_inputs(std::span<const ValueType> inputs) const {
  if (inputs.size() < 3 || inputs.size() % 2 == 0)
    throw Error("needs a condition and two branches with as many results each");
  const Tensor* const condition = inputs[0].constant;
  if (!condition || condition->elements() != 1)
    throw Error("the condition depends on the data, which graft does not run", {}, ErrorCode::unsupported);
  const bool holds = cast(*condition, DType::i64).data<int64_t>()[0] != 0;
  const size_t results = inputs.size() / 2;
  std::vector<size_t> chosen;
  for (size_t i = 0; i < results; ++i) chosen.push_back(1 + i + (holds ? 0 : results));
  return chosen;
}

std::vector<ValueType> If::infer(std::span<const ValueType> inputs) const {
  std::vector<ValueType> types;
  for (size_t i : chosen_inputs(inputs)) types.push_back({inputs[i].dtype, inputs[i].shape});
  return types;
}

}  // namespace graft
