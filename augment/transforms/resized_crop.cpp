#include <algorithm>
#include <cmath>

#include "augment/resize.h"
#include "augment/transforms/transform.h"

namespace graft {
namespace {

class ResizedCrop final : public Transform {
 public:
  ResizedCrop(const TransformContext& c, float smallest) : height_(c.height), width_(c.width), smallest_(smallest) {}
  Image apply(Image image, Random& random) const override {
    const double area = static_cast<double>(image.width * image.height);
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double part = area * static_cast<double>(random.uniform(smallest_, 1));
      const double aspect = std::exp(static_cast<double>(random.uniform(std::log(3.0f / 4), std::log(4.0f / 3))));
      const auto w = static_cast<int64_t>(std::lround(std::sqrt(part * aspect))),
                 h = static_cast<int64_t>(std::lround(std::sqrt(part / aspect)));
      if (w < 1 || h < 1 || w > image.width || h > image.height) continue;
      const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(image.width - w + 1)));
      const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(image.height - h + 1)));
      return part_of(image, left, top, w, h);
    }
    const int64_t side = std::min(image.width, image.height);
    return part_of(image, (image.width - side) / 2, (image.height - side) / 2, side, side);
  }

 private:
  Image part_of(const Image& image, int64_t left, int64_t top, int64_t w, int64_t h) const {
    return resize(image,
                  {static_cast<double>(left), static_cast<double>(top), static_cast<double>(left + w),
                   static_cast<double>(top + h)},
                  width_, height_);
  }
  int64_t height_, width_;
  float smallest_;
};

}  // namespace

TransformPtr make_resized_crop(const TransformContext& c, float smallest) {
  return std::make_unique<ResizedCrop>(c, smallest);
}

}  // namespace graft
