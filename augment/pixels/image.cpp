#include "augment/pixels/image.h"

#include <algorithm>

namespace graft {
namespace {

/// Of a picture of `own_width` × `own_height` pixels that stands for what `image` says.
Box whole_of(const Image& image, int64_t own_width, int64_t own_height) {
  const double all_columns = static_cast<double>(own_width), all_rows = static_cast<double>(own_height);
  const double width = image.full_width > 0 ? static_cast<double>(image.full_width) * image.part : all_columns,
               height = image.full_height > 0 ? static_cast<double>(image.full_height) * image.part : all_rows;
  const double left = image.last_column_first ? all_columns - width : 0,
               top = image.last_row_first ? all_rows - height : 0;
  return {left, top, left + width, top + height};
}

}  // namespace

Image upright(Image image) {
  if (image.mirrored) {
    for (int64_t y = 0; y < image.height; ++y) {
      uint8_t* row = image.row(y);
      for (int64_t left = 0, right = image.width - 1; left < right; ++left, --right)
        std::swap_ranges(row + 3 * left, row + 3 * left + 3, row + 3 * right);
    }
  }
  if (image.upside_down) {
    for (int64_t top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom)
      std::swap_ranges(image.row(top), image.row(top) + 3 * image.width, image.row(bottom));
  }
  image.last_column_first = image.last_column_first != image.mirrored;
  image.last_row_first = image.last_row_first != image.upside_down;
  image.mirrored = image.upside_down = false;
  return image;
}

Orientation orientation_of(int exif) {
  if (exif < 1 || exif > 8) return {};
  // 5 to 8 have rows where the picture has columns: transposed, they are 1 to 4 in another order.
  return {exif > 4, exif == 2 || exif == 3 || exif == 6 || exif == 7, exif == 3 || exif == 4 || exif == 7 || exif == 8};
}

Image turned(Image image, int exif) {
  const Orientation orientation = orientation_of(exif);
  if (orientation.transposed) {
    Image transposed(image.height, image.width);
    for (int64_t y = 0; y < image.height; ++y) {
      const uint8_t* from = image.row(y);
      for (int64_t x = 0; x < image.width; ++x, from += 3) std::copy_n(from, 3, transposed.row(x) + 3 * y);
    }
    transposed.full_width = image.full_height;
    transposed.full_height = image.full_width;
    transposed.part = image.part;
    transposed.last_column_first = image.last_row_first;
    transposed.last_row_first = image.last_column_first;
    image = std::move(transposed);
  }
  image.mirrored = orientation.mirrored;
  image.upside_down = orientation.upside_down;
  return upright(std::move(image));
}

Box whole(const Image& image) { return whole_of(image, image.width, image.height); }
Box whole(const ImagePart& part) { return whole_of(part.pixels, part.width, part.height); }

}  // namespace graft
