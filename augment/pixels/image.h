#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace graft {

/// A decoded picture: 8-bit RGB, rows top to bottom, no padding between them. What is meant may be its mirror image:
/// whoever reads the pixels in their last place turns them then, and upright() does for whoever needs them in place
/// before.
struct Image {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> pixels;  // height × width × 3
  bool mirrored = false, upside_down = false;
  /// Of a picture that was decoded at a part of its size: the size that it stands for, and that part. Its last row and
  /// column may stand for less than a whole pixel.
  int64_t full_width = 0, full_height = 0;
  double part = 1;
  bool last_column_first = false, last_row_first = false;  // they were turned to the other side

  Image() = default;
  Image(int64_t w, int64_t h) : width(w), height(h), pixels(static_cast<size_t>(w * h * 3)) {}
  uint8_t* row(int64_t y) { return pixels.data() + y * width * 3; }
  const uint8_t* row(int64_t y) const { return pixels.data() + y * width * 3; }
  /// The size that the picture stands for.
  int64_t meant_width() const { return full_width > 0 ? full_width : width; }
  int64_t meant_height() const { return full_height > 0 ? full_height : height; }
};

/// The same picture, its pixels where they are meant to be.
Image upright(Image image);

/// What EXIF's orientation (1 to 8) says of pixels as they are stored: whether rows are the picture's columns, and
/// which sides are exchanged then. [EXIF 2.32, tag 274]
struct Orientation {
  bool transposed = false, mirrored = false, upside_down = false;
};
Orientation orientation_of(int exif);

/// A picture turned as EXIF's orientation says.
Image turned(Image image, int exif);

/// Part of a picture, in pixels; fractions are allowed where resizing takes it.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
};

/// A part of a picture with whole-pixel corners.
struct Window {
  int64_t left = 0, top = 0, width = 0, height = 0;
};

/// A part of a picture that was decoded alone.
struct ImagePart {
  Image pixels;                   // those of `window`
  Window window;                  // of the whole picture's
  int64_t width = 0, height = 0;  // of the whole picture
};

/// All that the picture stands for.
Box whole(const Image& image);
Box whole(const ImagePart& part);

}  // namespace graft
