#pragma once

#include "runtime/ops/window.h"

namespace graft::cpu {

/// Pixels of a channels-last picture that a grid of pixels meets when it is moved by a tap of a filter: pixel (i, j) of
/// the grid meets the picture's (i·stride.height + y, j·stride.width + x).
struct MovedPixels {
  int64_t grid_rows, grid_columns;  // of one image
  Extent2d stride;
  int64_t height, width, channels;  // of a picture

  /// Addresses of what the grid's pixels first … first + n - 1 (image by image, row by row) meet at (y, x); null
  /// outside the picture.
  void locate(int64_t first, int64_t n, int64_t y, int64_t x, const float* pictures, const float** to) const {
    int64_t j = first % grid_columns, i = first / grid_columns % grid_rows, image = first / grid_columns / grid_rows;
    for (int64_t p = 0; p < n; ++p) {
      const int64_t yy = i * stride.height + y, xx = j * stride.width + x;
      const bool inside = yy >= 0 && yy < height && xx >= 0 && xx < width;
      to[p] = inside ? pictures + ((image * height + yy) * width + xx) * channels : nullptr;
      if (++j < grid_columns) continue;
      j = 0;
      if (++i < grid_rows) continue;
      i = 0;
      ++image;
    }
  }
};

}  // namespace graft::cpu
