#include "runtime/core/evaluate_node.h"

#include <algorithm>

namespace graft {

std::vector<Tensor> evaluate_node(const Operator& op, const std::vector<ValueType>& inputs,
                                  const std::vector<ValueType>& outputs, const Backend& backend) {
  std::vector<Operand> ins, outs;
  std::vector<const void*> in_pointers;
  std::vector<void*> out_pointers;
  std::vector<Tensor> results;
  for (const ValueType& type : inputs) {
    ins.push_back({type.dtype, type.shape, plain_strides(type.shape), type.constant != nullptr, type.constant, false});
    in_pointers.push_back(type.constant ? type.constant->raw() : nullptr);
  }
  for (const ValueType& type : outputs) {
    outs.push_back({type.dtype, type.shape, plain_strides(type.shape), true, nullptr, false});
    results.emplace_back(type.dtype, type.shape);
    out_pointers.push_back(results.back().raw());
  }
  if (std::all_of(outputs.begin(), outputs.end(), [](const ValueType& type) { return type.shape.elements() == 0; }))
    return results;  // kernels need not know batches of nothing
  const auto kernel = backend.host().make_kernel({op, ins, outs, -1});
  std::vector<std::byte> scratch(kernel->scratch_bytes() + kArenaAlignment);
  void* aligned = scratch.data();
  size_t space = scratch.size();
  std::align(kArenaAlignment, kernel->scratch_bytes(), aligned, space);
  kernel->run({in_pointers, out_pointers, aligned, {}});
  return results;
}

}  // namespace graft
