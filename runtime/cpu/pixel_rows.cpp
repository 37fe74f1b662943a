#include "runtime/ops/pixel_rows.h"

#include "runtime/cpu/copy_kernel.h"
#include "runtime/cpu/kernel_table.h"

namespace graft::cpu {
namespace {

/// Where it is not a view: both sides as N, H, W, C.
std::unique_ptr<Kernel> copy(const KernelRequest& r, const Operand& picture, bool from_rows) {
  const Shape shape{picture.shape[0], picture.shape[2], picture.shape[3], picture.shape[1]};
  const Strides& s = picture.strides;
  const Strides pixels{s[0], s[2], s[3], s[1]}, rows = plain_strides(shape);
  const size_t bytes = size_of(picture.dtype);
  std::vector<Piece> pieces{{0, 0, 0, StridedCopy(bytes, shape, from_rows ? rows : pixels, from_rows ? pixels : rows)}};
  return std::make_unique<CopyKernel>(std::move(pieces), r.outputs[0].shape.elements(), bytes);
}

std::unique_ptr<Kernel> make_rows(const PixelsToRows&, const KernelRequest& r) { return copy(r, r.inputs[0], false); }
std::unique_ptr<Kernel> make_pixels(const RowsToPixels&, const KernelRequest& r) { return copy(r, r.outputs[0], true); }

}  // namespace

void register_pixel_rows(KernelTable& table) {
  table.add<PixelsToRows>(make_rows);
  table.add<RowsToPixels>(make_pixels);
}

}  // namespace graft::cpu
