#include <algorithm>
#include <cmath>

#include "augment/resize.h"
#include "augment/transforms/transform.h"

namespace graft {
namespace {

class RandomCrop final : public Transform {
 public:
  RandomCrop(const TransformContext& c, int64_t low, int64_t high)
      : height_(c.height), width_(c.width), low_(low), high_(high) {}
  Image apply(Image image, Random& random) const override {
    const int64_t side = low_ + static_cast<int64_t>(random.below(static_cast<uint64_t>(high_ - low_ + 1)));
    const Image scaled = resize_to_fit(image, side, width_, height_);
    const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(scaled.width - width_ + 1)));
    const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(scaled.height - height_ + 1)));
    return crop(scaled, left, top, width_, height_);
  }

 private:
  int64_t height_, width_, low_, high_;
};

/// Evaluation's view: torchvision's Resize then CenterCrop. A picture that already has the size passes unchanged.
class CenterCrop final : public Transform {
 public:
  explicit CenterCrop(const TransformContext& c) : height_(c.height), width_(c.width), short_side_(c.short_side) {}
  Image apply(Image image, Random&) const override {
    if (image.width == width_ && image.height == height_) return image;
    const Image scaled = short_side_ > 0 ? resize_to_fit(image, short_side_, width_, height_)
                                         : resize_to_fit(image, std::min(image.width, image.height), width_, height_);
    const auto middle = [](int64_t extent, int64_t part) {
      return static_cast<int64_t>(std::nearbyint(static_cast<double>(extent - part) / 2));
    };
    return crop(scaled, middle(scaled.width, width_), middle(scaled.height, height_), width_, height_);
  }

 private:
  int64_t height_, width_, short_side_;
};

}  // namespace

TransformPtr make_random_crop(const TransformContext& c) {
  const int64_t side = c.short_side > 0 ? c.short_side : std::min(c.width, c.height) * 8 / 7;
  return std::make_unique<RandomCrop>(c, side, side);
}
TransformPtr make_scale_crop(const TransformContext& c) {
  const double unit = static_cast<double>(std::min(c.width, c.height)) / 224;
  return std::make_unique<RandomCrop>(c, std::lround(256 * unit), std::lround(480 * unit));
}
TransformPtr make_center_crop(const TransformContext& c) { return std::make_unique<CenterCrop>(c); }

}  // namespace graft
