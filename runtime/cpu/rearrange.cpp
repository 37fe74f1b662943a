#include "runtime/ops/arrangement.h"

#include <algorithm>

#include "runtime/cpu/copy_kernel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/walk.h"
#include "runtime/ops/pixel_rows.h"

namespace graft::cpu {
namespace {

std::unique_ptr<Kernel> arranged(const Arrangement& a, const KernelRequest& r) {
  const size_t bytes = size_of(r.inputs[0].dtype);
  std::vector<Piece> pieces{
      {0, a.from_offset * static_cast<int64_t>(bytes), 0, StridedCopy(bytes, a.shape, a.from, a.to)}};
  return std::make_unique<CopyKernel>(std::move(pieces), r.outputs[0].shape.elements(), bytes);
}

std::unique_ptr<Kernel> make_split_slice(const SplitSlice& op, const KernelRequest& r) {
  return arranged(part(op, r.inputs[0], r.outputs[0]), r);
}
std::unique_ptr<Kernel> make_tile(const Tile&, const KernelRequest& r) {
  return arranged(tiled(r.inputs[0], r.outputs[0]), r);
}
std::unique_ptr<Kernel> make_depth_space(const DepthSpace& op, const KernelRequest& r) {
  return arranged(depth_space(op, r.inputs[0], r.outputs[0]), r);
}
std::unique_ptr<Kernel> make_rows(const PixelsToRows&, const KernelRequest& r) {
  return arranged(pixel_rows(r.inputs[0], false), r);
}
std::unique_ptr<Kernel> make_pixels(const RowsToPixels&, const KernelRequest& r) {
  return arranged(pixel_rows(r.outputs[0], true), r);
}

class TileGradientKernel final : public Kernel {
 public:
  explicit TileGradientKernel(const KernelRequest& r)
      : TileGradientKernel(tiled(r.outputs[0], r.inputs[0]), r.outputs[0].shape.elements()) {}
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) dx[at[1] + i * step[1]] += dy[at[0] + i * step[0]];
    });
  }

 private:
  TileGradientKernel(const Arrangement& a, int64_t elements) : elements_(elements), walk_(a.shape, {a.to, a.from}) {}
  int64_t elements_;
  Walk<2> walk_;
};

std::unique_ptr<Kernel> make_tile_gradient(const TileGradient&, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<TileGradientKernel>(r);
}

}  // namespace

void register_rearrange(KernelTable& table) {
  table.add<SplitSlice>(make_split_slice);
  table.add<Tile>(make_tile);
  table.add<TileGradient>(make_tile_gradient);
  table.add<DepthSpace>(make_depth_space);
  table.add<PixelsToRows>(make_rows);
  table.add<RowsToPixels>(make_pixels);
}

}  // namespace graft::cpu
