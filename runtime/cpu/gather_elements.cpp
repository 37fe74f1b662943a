#include "runtime/ops/gather_elements.h"

#include "runtime/cpu/indexed_gather.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"

namespace graft::cpu {
namespace {

/// `result` has the indices' shape; both move alike but along the axis, where the data stand still.
IndexedElements elements_of(const Operand& result, const Operand& indices, const Operand& data, int64_t axis) {
  const auto along = static_cast<size_t>(resolve_axis(axis, data.shape.rank()));
  Strides beside = data.strides;
  beside[along] = 0;
  return {result.shape, result.strides, indices.strides, beside, indices.dtype, data.shape[along], data.strides[along]};
}

std::unique_ptr<Kernel> make_gather(const GatherElements& op, const KernelRequest& r) {
  return make_indexed_gather(elements_of(r.outputs[0], r.inputs[1], r.inputs[0], op.axis), r.inputs[0].dtype);
}

std::unique_ptr<Kernel> make_gradient(const GatherElementsGradient& op, const KernelRequest& r) {
  require_f32(r.inputs[0]);
  return make_indexed_add(elements_of(r.inputs[0], r.inputs[1], r.outputs[0], op.axis), r.outputs[0].shape.elements());
}

}  // namespace

void register_gather_elements(KernelTable& table) {
  table.add<GatherElements>(make_gather);
  table.add<GatherElementsGradient>(make_gradient);
}

}  // namespace graft::cpu
