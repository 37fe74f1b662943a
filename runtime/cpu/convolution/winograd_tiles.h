#pragma once

#include <type_traits>

#include "runtime/core/backend.h"
#include "runtime/ops/window.h"

namespace graft::cpu {

/// Tiles of `side`×`side` outputs that cover a picture, and the inputs of each, two more in both directions.
/// Channels-last.
class WinogradTiles {
 public:
  /// `input` and `output`: N×C×H×W. `pad_top`, `pad_left`: rows and columns of zeros before the input.
  WinogradTiles(const Shape& input, const Shape& output, int64_t pad_top, int64_t pad_left, int64_t side = 4)
      : side_(side),
        images_(input[0]),
        in_height_(input[2]),
        in_width_(input[3]),
        out_height_(output[2]),
        out_width_(output[3]),
        pad_top_(pad_top),
        pad_left_(pad_left),
        rows_((out_height_ + side - 1) / side),
        columns_((out_width_ + side - 1) / side) {}

  int64_t count() const { return images_ * rows_ * columns_; }

  /// Addresses of the input pixels of a tile; those outside the picture are `outside`.
  template <typename Float>
  void inputs(int64_t tile, Float* x, int64_t channels, std::type_identity_t<Float>* outside, Float** to) const {
    const auto [image, row, column] = place(tile);
    pixels(side_ + 2, x + image * in_height_ * in_width_ * channels, in_height_, in_width_, channels,
           row * side_ - pad_top_, column * side_ - pad_left_, outside, to);
  }
  /// Addresses of the output pixels of a tile; those outside the picture are `outside`.
  template <typename Float>
  void outputs(int64_t tile, Float* y, int64_t channels, std::type_identity_t<Float>* outside, Float** to) const {
    const auto [image, row, column] = place(tile);
    pixels(side_, y + image * out_height_ * out_width_ * channels, out_height_, out_width_, channels, row * side_,
           column * side_, outside, to);
  }

 private:
  struct Place {
    int64_t image, row, column;
  };
  Place place(int64_t tile) const { return {tile / columns_ / rows_, tile / columns_ % rows_, tile % columns_}; }

  template <typename Float>
  static void pixels(int64_t extent, Float* picture, int64_t height, int64_t width, int64_t channels, int64_t y0,
                     int64_t x0, Float* outside, Float** to) {
    if (y0 >= 0 && x0 >= 0 && y0 + extent <= height && x0 + extent <= width) {
      for (int64_t i = 0; i < extent; ++i)
        for (int64_t j = 0; j < extent; ++j) *to++ = picture + ((y0 + i) * width + x0 + j) * channels;
      return;
    }
    for (int64_t i = 0; i < extent; ++i)
      for (int64_t j = 0; j < extent; ++j) {
        const int64_t y = y0 + i, x = x0 + j;
        const bool inside = y >= 0 && y < height && x >= 0 && x < width;
        *to++ = inside ? picture + (y * width + x) * channels : outside;
      }
  }

  int64_t side_, images_, in_height_, in_width_, out_height_, out_width_, pad_top_, pad_left_, rows_, columns_;
};

/// Whether a convolution has the form that F(4×4, 3×3) computes, and tiles enough that it is the fastest way.
bool winograd_serves(const Window2d& window, int64_t groups, const Operand& x, const Operand& y);

/// Whether it also pays for reading the transformed filters, in a convolution x → y.
bool winograd_pays(const Window2d& window, int64_t groups, const Operand& x, const Operand& y);

}  // namespace graft::cpu
