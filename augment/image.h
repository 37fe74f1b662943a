#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace graft {

/// A decoded picture: 8-bit RGB, rows top to bottom, no padding between them.
struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // height × width × 3

  Image() = default;
  Image(int64_t w, int64_t h) : width(w), height(h), pixels(static_cast<size_t>(w * h * 3)) {}
  uint8_t* row(int64_t y) { return pixels.data() + y * width * 3; }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * 3; }
};

/// Part of a picture, in pixels; fractions are allowed where resizing takes it.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

}  // namespace graft
