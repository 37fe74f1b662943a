#include "runtime/ops/gather_elements.h"

#include "runtime/cpu/indexed_gather.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"

namespace graft::cpu {
namespace {

std::unique_ptr<Kernel> make_gather(const GatherElements& op, const KernelRequest& r) {
  return make_indexed_gather(elements_along(op.axis, r.outputs[0], r.inputs[1], r.inputs[0]), r.inputs[0].dtype);
}

std::unique_ptr<Kernel> make_gradient(const GatherElementsGradient& op, const KernelRequest& r) {
  require_f32(r.inputs[0]);
  return make_indexed_add(elements_along(op.axis, r.inputs[0], r.inputs[1], r.outputs[0]),
                          r.outputs[0].shape.elements());
}

}  // namespace

void register_gather_elements(KernelTable& table) {
  table.add<GatherElements>(make_gather);
  table.add<GatherElementsGradient>(make_gradient);
}

}  // namespace graft::cpu
