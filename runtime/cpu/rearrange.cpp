#include "runtime/ops/rearrange.h"

#include <algorithm>

#include "runtime/cpu/copy_kernel.h"
#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/onednn.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

std::unique_ptr<Kernel> make_part(const Part& op, const KernelRequest& r) {
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  const auto axis = static_cast<size_t>(resolve_axis(op.axis, x.shape.rank()));
  const size_t bytes = size_of(x.dtype);
  const int64_t offset = op.range(x.shape).first * x.strides[axis] * static_cast<int64_t>(bytes);
  std::vector<Piece> pieces{{0, offset, 0, StridedCopy(bytes, y.shape, x.strides, y.strides)}};
  return std::make_unique<CopyKernel>(std::move(pieces), y.shape.elements(), bytes);
}

/// Tiled and single tensor under one shape: each dimension in two, repeats and extent; the single one stands still along repeats.
struct Tiling {
  Shape shape;
  Strides tiled, single;
  Tiling(const Operand& large, const Operand& small) {
    for (size_t i = 0; i < small.shape.size(); ++i) {
      const int64_t extent = small.shape[i], repeats = extent == 0 ? 0 : large.shape[i] / extent;
      if (repeats != 1) {
        shape.push_back(repeats);
        tiled.push_back(extent * large.strides[i]);
        single.push_back(0);
      }
      shape.push_back(extent);
      tiled.push_back(large.strides[i]);
      single.push_back(small.strides[i]);
    }
  }
};

std::unique_ptr<Kernel> make_tile(const Tile&, const KernelRequest& r) {
  const Tiling t(r.outputs[0], r.inputs[0]);
  const size_t bytes = size_of(r.inputs[0].dtype);
  std::vector<Piece> pieces{{0, 0, 0, StridedCopy(bytes, t.shape, t.single, t.tiled)}};
  return std::make_unique<CopyKernel>(std::move(pieces), r.outputs[0].shape.elements(), bytes);
}

class TileGradientKernel final : public Kernel {
 public:
  explicit TileGradientKernel(const KernelRequest& r) : TileGradientKernel(Tiling(r.inputs[0], r.outputs[0]), r.outputs[0].shape.elements()) {}
  void run(const KernelArguments& a) override {
    const auto* dy = static_cast<const float*>(a.inputs[0]);
    auto* dx = static_cast<float*>(a.outputs[0]);
    std::fill_n(dx, elements_, 0.0f);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      for (int64_t i = 0; i < n; ++i) dx[at[1] + i * step[1]] += dy[at[0] + i * step[0]];
    });
  }

 private:
  TileGradientKernel(const Tiling& t, int64_t elements) : elements_(elements), walk_(t.shape, {t.tiled, t.single}) {}
  int64_t elements_;
  Walk<2> walk_;
};

std::unique_ptr<Kernel> make_tile_gradient(const TileGradient&, const KernelRequest& r) {
  require_f32(r);
  return std::make_unique<TileGradientKernel>(r);
}

/// Both sides as N, C, block rows, block columns, H, W of the small picture.
std::unique_ptr<Kernel> make_depth_space(const DepthSpace& op, const KernelRequest& r) {
  const Operand &deep = op.to_depth ? r.outputs[0] : r.inputs[0], &wide = op.to_depth ? r.inputs[0] : r.outputs[0];
  const int64_t b = op.block, channels = wide.shape[1];
  const Shape shape{deep.shape[0], channels, b, b, deep.shape[2], deep.shape[3]};
  const Strides& w = wide.strides;
  const Strides wide_strides{w[0], w[1], w[2], w[3], w[2] * b, w[3] * b};
  const Strides& d = deep.strides;
  const int64_t per_channel = op.channel_first ? b * b : 1, per_row = op.channel_first ? b : b * channels, per_column = op.channel_first ? 1 : channels;
  const Strides deep_strides{d[0], d[1] * per_channel, d[1] * per_row, d[1] * per_column, d[2], d[3]};
  const size_t bytes = size_of(deep.dtype);
  const Strides &from = op.to_depth ? wide_strides : deep_strides, &to = op.to_depth ? deep_strides : wide_strides;
  std::vector<Piece> pieces{{0, 0, 0, StridedCopy(bytes, shape, from, to)}};
  return std::make_unique<CopyKernel>(std::move(pieces), r.outputs[0].shape.elements(), bytes);
}

}  // namespace

void register_rearrange(KernelTable& table) {
  table.add<Part>(make_part);
  table.add<Tile>(make_tile);
  table.add<TileGradient>(make_tile_gradient);
  table.add<DepthSpace>(make_depth_space);
}

}  // namespace graft::cpu
