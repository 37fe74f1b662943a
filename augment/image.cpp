#include "augment/image.h"

#include <algorithm>

namespace graft {

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
  image.mirrored = image.upside_down = false;
  return image;
}

}  // namespace graft
