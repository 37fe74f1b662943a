// What only moves elements has kernels for every type already; this names those operators.
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

template <typename... Op>
void add_moves(KernelTable& table) {
  (table.add<Op>([](const Op& op, const KernelRequest& r) { return (*moving_kernels().find(op))(r); }), ...);
}

}  // namespace

void register_moves(KernelTable& table) {
  add_moves<Transpose, Concat, Slice, SliceGradient, Pad, Gather, Expand, Reshape, ReshapeTo, Flatten, Squeeze,
            Unsqueeze, Identity, SplitSlice, Tile, DepthSpace, PixelsToRows, RowsToPixels>(table);
}

}  // namespace graft::cpu::bf16
