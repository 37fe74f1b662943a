#include "runtime/ops/arrangement.h"

#include <utility>

namespace graft {

Arrangement part(const SplitSlice& op, const Operand& x, const Operand& y) {
  const auto axis = static_cast<size_t>(resolve_axis(op.axis, x.shape.rank()));
  return {y.shape, x.strides, y.strides, op.range(x.shape).first * x.strides[axis]};
}

Arrangement tiled(const Operand& single, const Operand& many) {
  Arrangement a;
  for (size_t i = 0; i < single.shape.size(); ++i) {
    const int64_t extent = single.shape[i], repeats = extent == 0 ? 0 : many.shape[i] / extent;
    if (repeats != 1) {
      a.shape.push_back(repeats);
      a.from.push_back(0);
      a.to.push_back(extent * many.strides[i]);
    }
    a.shape.push_back(extent);
    a.from.push_back(single.strides[i]);
    a.to.push_back(many.strides[i]);
  }
  return a;
}

Arrangement depth_space(const DepthSpace& op, const Operand& x, const Operand& y) {
  const Operand &deep = op.to_depth ? y : x, &wide = op.to_depth ? x : y;
  const int64_t b = op.block, channels = wide.shape[1];
  const Strides &w = wide.strides, &d = deep.strides;
  const int64_t per_channel = op.channel_first ? b * b : 1, per_row = op.channel_first ? b : b * channels,
                per_column = op.channel_first ? 1 : channels;
  Strides wide_strides{w[0], w[1], w[2], w[3], w[2] * b, w[3] * b};
  Strides deep_strides{d[0], d[1] * per_channel, d[1] * per_row, d[1] * per_column, d[2], d[3]};
  if (!op.to_depth) std::swap(wide_strides, deep_strides);
  return {{deep.shape[0], channels, b, b, deep.shape[2], deep.shape[3]}, wide_strides, deep_strides};
}

Arrangement pixel_rows(const Operand& picture, bool back) {
  const Shape shape{picture.shape[0], picture.shape[2], picture.shape[3], picture.shape[1]};
  const Strides& s = picture.strides;
  const Strides pixels{s[0], s[2], s[3], s[1]}, rows = plain_strides(shape);
  return back ? Arrangement{shape, rows, pixels} : Arrangement{shape, pixels, rows};
}

}  // namespace graft
