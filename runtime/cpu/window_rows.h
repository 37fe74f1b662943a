#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "runtime/core/backend.h"
#include "runtime/core/index_range.h"
#include "runtime/ops/window.h"

namespace graft::cpu {

/// What each pixel of a convolution's result sees of the channels-last pictures before it: kernel rows, kernel columns,
/// channels, as one row of a matrix.
class WindowRows {
 public:
  /// `element`: bytes of a number.
  WindowRows(const Window2d& window, const Operand& x, const Operand& y, int64_t element)
      : window_(window),
        height_(x.shape[2]),
        width_(x.shape[3]),
        rows_(y.shape[2]),
        columns_(y.shape[3]),
        pixel_bytes_(x.shape[1] * element) {}

  int64_t row_bytes() const { return window_.kernel.height * window_.kernel.width * pixel_bytes_; }
  /// Whether a row is a pixel, and rows are the pixels in their order.
  bool is_every_pixel() const {
    const Window2d& w = window_;
    return w.kernel.height == 1 && w.kernel.width == 1 && w.stride.height == 1 && w.stride.width == 1 &&
           w.padding.top == 0 && w.padding.left == 0 && rows_ == height_ && columns_ == width_;
  }

  /// Rows to buffer + i·pitch, where there are 16 bytes more than a row's; `outside`: the byte of padding. Up to three
  /// bytes behind a row become zeros.
  void gather(const void* pictures, IndexRange rows, std::byte outside, std::byte* buffer, int64_t pitch) const {
    const auto* const x = static_cast<const std::byte*>(pictures);
    int64_t column = rows.first % columns_, row = rows.first / columns_ % rows_, image = rows.first / columns_ / rows_;
    const int64_t bytes = row_bytes(), tail = (bytes + 3) / 4 * 4 - bytes;
    for (int64_t i = 0; i < rows.size(); ++i) {
      std::byte* const to = buffer + i * pitch;
      gather_one(x + image * height_ * width_ * pixel_bytes_, row, column, outside, to);
      for (int64_t b = 0; b < tail; ++b) to[bytes + b] = std::byte{0};
      if (++column < columns_) continue;
      column = 0;
      if (++row < rows_) continue;
      row = 0;
      ++image;
    }
  }

 private:
  static constexpr int64_t kChunk = 16, kShort = 64;

  /// Whether copy_short may serve: runs of few bytes, as those of three channels are, inside the picture with all that
  /// is read behind them. They cost more to call memcpy for than to copy.
  bool is_short_and_inside(int64_t y0, int64_t x0) const {
    const Window2d& w = window_;
    const int64_t rounded = (w.kernel.width * pixel_bytes_ + kChunk - 1) / kChunk * kChunk;
    return w.kernel.width * pixel_bytes_ <= kShort && w.dilation.width == 1 && w.dilation.height == 1 && y0 >= 0 &&
           x0 >= 0 && y0 + w.kernel.height <= height_ && x0 * pixel_bytes_ + rounded <= width_ * pixel_bytes_;
  }
  /// Whole chunks: what is written behind a run, the next run overwrites, and behind the last one the buffer goes on.
  void copy_short(const std::byte* from, std::byte* to) const {
    const int64_t bytes = window_.kernel.width * pixel_bytes_, line = width_ * pixel_bytes_;
    for (int64_t r = 0; r < window_.kernel.height; ++r, to += bytes, from += line)
      for (int64_t i = 0; i < bytes; i += kChunk) std::memcpy(to + i, from + i, kChunk);
  }

  void gather_one(const std::byte* picture, int64_t row, int64_t column, std::byte outside, std::byte* to) const {
    const Window2d& w = window_;
    const int64_t x0 = column * w.stride.width - w.padding.left, y0 = row * w.stride.height - w.padding.top,
                  line_bytes = w.kernel.width * pixel_bytes_;
    if (is_short_and_inside(y0, x0)) return copy_short(picture + (y0 * width_ + x0) * pixel_bytes_, to);
    for (int64_t r = 0; r < w.kernel.height; ++r, to += line_bytes) {
      const int64_t y = y0 + r * w.dilation.height;
      if (y < 0 || y >= height_) {
        std::memset(to, std::to_integer<int>(outside), static_cast<size_t>(line_bytes));
        continue;
      }
      const std::byte* const line = picture + y * width_ * pixel_bytes_;
      if (w.dilation.width == 1) {  // one run of pixels
        const int64_t first = std::clamp<int64_t>(-x0, 0, w.kernel.width),
                      last = std::clamp<int64_t>(width_ - x0, first, w.kernel.width);
        if (first > 0) std::memset(to, std::to_integer<int>(outside), static_cast<size_t>(first * pixel_bytes_));
        std::memcpy(to + first * pixel_bytes_, line + (x0 + first) * pixel_bytes_,
                    static_cast<size_t>((last - first) * pixel_bytes_));
        if (last < w.kernel.width)
          std::memset(to + last * pixel_bytes_, std::to_integer<int>(outside),
                      static_cast<size_t>((w.kernel.width - last) * pixel_bytes_));
        continue;
      }
      for (int64_t s = 0; s < w.kernel.width; ++s) {
        const int64_t x = x0 + s * w.dilation.width;
        if (x >= 0 && x < width_)
          std::memcpy(to + s * pixel_bytes_, line + x * pixel_bytes_, static_cast<size_t>(pixel_bytes_));
        else
          std::memset(to + s * pixel_bytes_, std::to_integer<int>(outside), static_cast<size_t>(pixel_bytes_));
      }
    }
  }

  Window2d window_;
  int64_t height_, width_, rows_, columns_, pixel_bytes_;
};

}  // namespace graft::cpu
