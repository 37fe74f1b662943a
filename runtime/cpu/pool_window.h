#pragma once

#include <algorithm>

#include "runtime/ops/pool.h"

namespace graft::cpu {

/// The taps of one output position that lie inside the picture.
struct Taps {
  int64_t first, last;  // kernel indices
};

inline Taps taps(int64_t out, int64_t stride, int64_t before, int64_t kernel, int64_t dilation, int64_t extent) {
  const int64_t origin = out * stride - before;
  const int64_t first = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
  const int64_t last = std::min(kernel, origin >= extent ? int64_t{0} : (extent - origin + dilation - 1) / dilation);
  return {first, last};
}

inline Taps row_taps(const Window2d& w, Extent2d picture, int64_t row) {
  return taps(row, w.stride.height, w.padding.top, w.kernel.height, w.dilation.height, picture.height);
}
inline Taps column_taps(const Window2d& w, Extent2d picture, int64_t column) {
  return taps(column, w.stride.width, w.padding.left, w.kernel.width, w.dilation.width, picture.width);
}

/// body(row, column) for each pixel of the picture that the window at `out` (row, column) sees.
template <typename Body>
void for_taps(const Window2d& w, Extent2d picture, Extent2d out, const Body& body) {
  const Taps rows = row_taps(w, picture, out.height), columns = column_taps(w, picture, out.width);
  for (int64_t i = rows.first; i < rows.last; ++i)
    for (int64_t j = columns.first; j < columns.last; ++j)
      body(out.height * w.stride.height - w.padding.top + i * w.dilation.height,
           out.width * w.stride.width - w.padding.left + j * w.dilation.width);
}

/// What the sum over the window at `out` is divided by: the taps inside the picture, or inside picture and padding.
inline float average_divisor(const Window2d& w, AveragePool::Count count, Extent2d picture, Extent2d out) {
  if (count == AveragePool::Count::none) return 1.0f;
  const Taps rows = row_taps(w, picture, out.height), columns = column_taps(w, picture, out.width);
  if (count == AveragePool::Count::picture_only)
    return static_cast<float>(std::max<int64_t>(1, (rows.last - rows.first) * (columns.last - columns.first)));
  // Windows of ceil rounding may hang over the padding; what hangs over does not count.
  const auto inside = [](int64_t at, int64_t stride, int64_t before, int64_t after, int64_t kernel, int64_t dilation,
                         int64_t extent) {
    const int64_t origin = at * stride - before;
    return std::min(kernel, (extent + after - origin + dilation - 1) / dilation);
  };
  return static_cast<float>(inside(out.height, w.stride.height, w.padding.top, w.padding.bottom, w.kernel.height,
                                   w.dilation.height, picture.height) *
                            inside(out.width, w.stride.width, w.padding.left, w.padding.right, w.kernel.width,
                                   w.dilation.width, picture.width));
}

}  // namespace graft::cpu
