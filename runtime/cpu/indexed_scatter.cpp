#include "runtime/ops/indexed_scatter.h"

#include "runtime/core/error.h"
#include "runtime/cpu/indexed_gather.h"
#include "runtime/cpu/indexed_slices.h"
#include "runtime/cpu/kernel_table.h"

namespace graft::cpu {
namespace {

std::unique_ptr<Kernel> make_scatter(const IndexedScatter& op, const KernelRequest& r) {
  const Operand &data = r.inputs[0], &indices = r.inputs[1], &updates = r.inputs[2], &result = r.outputs[0];
  if (op.adds && data.dtype != DType::f32) throw Error("only floats are added");
  if (op.of == IndexedScatter::Of::slices) return make_slice_scatter(data, indices, updates, result, op.adds);
  return make_indexed_scatter(elements_along(op.axis, updates, indices, result), data, result, op.adds);
}

std::unique_ptr<Kernel> make_gradient(const IndexedScatterGradient& op, const KernelRequest& r) {
  const Operand &dy = r.inputs[0], &indices = r.inputs[1], &updates = r.outputs[0];
  if (op.forward.of == IndexedScatter::Of::slices) return make_slice_kept(dy, indices, updates);
  return make_indexed_kept(elements_along(op.forward.axis, updates, indices, dy), dy.shape.elements());
}

}  // namespace

void register_indexed_scatter(KernelTable& table) {
  table.add<IndexedScatter>(make_scatter);
  table.add<IndexedScatterGradient>(make_gradient);
}

}  // namespace graft::cpu
