// What only moves elements has kernels for every type already; this names those operators.
#include <algorithm>

#include "runtime/cpu/bf16/kernels.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/ops/movement.h"
#include "runtime/ops/pixel_rows.h"
#include "runtime/ops/rearrange.h"
#include "runtime/ops/reshape.h"

namespace graft::cpu::bf16 {
namespace {

/// The kernels of runtime/cpu for these operators look at an element's size alone.
const KernelTable& moving_kernels() {
  static const KernelTable table = [] {
    KernelTable made;
    register_movement(made);
    register_rearrange(made);
    return made;
  }();
  return table;
}

bool is_of_one_type(const KernelRequest& r) {
  return std::all_of(r.inputs.begin(), r.inputs.end(), [&](const Operand& x) {
    return !x.present || x.dtype == r.outputs[0].dtype || x.dtype == DType::i64 || x.dtype == DType::i32;
  });
}

template <typename... Op>
void add_moves(KernelTable& table) {
  (table.add<Op>([](const Op& op, const KernelRequest& r) -> std::unique_ptr<Kernel> {
    // A result that leaves the graph is float; what becomes it is widened first.
    return is_of_one_type(r) ? (*moving_kernels().find(op))(r) : nullptr;
  }),
   ...);
}

}  // namespace

void register_moves(KernelTable& table) {
  add_moves<Transpose, Concat, SliceGradient, Gather, Reshape, ReshapeTo, Flatten, Squeeze, Unsqueeze, SplitSlice, Tile,
            DepthSpace, PixelsToRows, RowsToPixels>(table);
}

}  // namespace graft::cpu::bf16
