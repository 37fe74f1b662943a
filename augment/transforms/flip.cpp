#include <algorithm>
#include <cstring>

#include "augment/transforms/transform.h"

namespace graft {
namespace {

class Flip final : public Transform {
 public:
  Image apply(Image image, Random& random) const override {
    if (random.uniform() >= 0.5f) return image;
    for (int64_t y = 0; y < image.height; ++y) {
      uint8_t* row = image.row(y);
      for (int64_t left = 0, right = image.width - 1; left < right; ++left, --right) std::swap_ranges(row + 3 * left, row + 3 * left + 3, row + 3 * right);
    }
    return image;
  }
};

class VerticalFlip final : public Transform {
 public:
  Image apply(Image image, Random& random) const override {
    if (random.uniform() >= 0.5f) return image;
    for (int64_t top = 0, bottom = image.height - 1; top < bottom; ++top, --bottom) std::swap_ranges(image.row(top), image.row(top) + 3 * image.width, image.row(bottom));
    return image;
  }
};

}  // namespace

TransformPtr make_flip() { return std::make_unique<Flip>(); }
TransformPtr make_vertical_flip() { return std::make_unique<VerticalFlip>(); }

}  // namespace graft
