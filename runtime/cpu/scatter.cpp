#include "runtime/core/error.h"
#include "runtime/cpu/indexed_gather.h"
#include "runtime/cpu/indexed_slices.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/ops/indexed_scatter.h"

namespace graft::cpu {
namespace {

std::unique_ptr<Kernel> make_scatter(const IndexedScatter& op, const KernelRequest& r) {
  const Operand &data = r.inputs[0], &indices = r.inputs[1], &updates = r.inputs[2], &result = r.outputs[0];
  if (op.adds && data.dtype != DType::f32) throw Error("only floats are added");
  if (op.of == IndexedScatter::Of::slices) return make_slice_scatter(data, indices, updates, result, op.adds);
  const auto along = static_cast<size_t>(resolve_axis(op.axis, result.shape.rank()));
  Strides beside = result.strides;
  beside[along] = 0;
  return make_indexed_scatter({updates.shape, updates.strides, indices.strides, beside, indices.dtype,
                               result.shape[along], result.strides[along]},
                              data, result, op.adds);
}

}  // namespace

void register_scatter(KernelTable& table) { table.add<IndexedScatter>(make_scatter); }

}  // namespace graft::cpu
