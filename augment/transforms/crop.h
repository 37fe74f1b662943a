#pragma once

#include <algorithm>
#include <cmath>

#include "augment/resize.h"
#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft::transforms {

/// Resizes the short side to a length in low…high, then cuts at a random place.
class RandomCrop : public Transform {
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

/// The short side that evaluation has, then a random place.
class PlainCrop final : public RandomCrop {
 public:
  static constexpr ComponentText kText{"crop", "the picture as evaluation resizes it, cut at a random place",
                                       "a uniform place  [Krizhevsky et al. 2012]"};
  using Options = NoSettings;
  PlainCrop(const Options&, const TransformContext& c) : RandomCrop(c, side(c), side(c)) {}

 private:
  static int64_t side(const TransformContext& c) {
    return c.short_side > 0 ? c.short_side : std::min(c.width, c.height) * 8 / 7;
  }
};

/// Short side drawn from [low, high]·(crop/224) [He et al. 2015; Simonyan & Zisserman 2014].
class ScaleCrop final : public RandomCrop {
 public:
  static constexpr ComponentText kText{"scale-crop", "the picture at a random size, cut at a random place",
                                       "short side in low…high, times crop/224  [Simonyan & Zisserman 2014]"};
  struct Options {
    int64_t low = 256, high = 480;
    void describe(SettingVisitor& visit) {
      visit("low", low, {.low = 224, .high = 4096, .unit = "pixels", .help = "least short side, for crops of 224"});
      visit("high", high, {.low = 224, .high = 4096, .unit = "pixels", .help = "largest short side, for crops of 224"});
    }
  };
  ScaleCrop(const Options& o, const TransformContext& c)
      : RandomCrop(c, scaled(o.low, c), scaled(std::max(o.low, o.high), c)) {}

 private:
  static int64_t scaled(int64_t side, const TransformContext& c) {
    return std::lround(static_cast<double>(side) * (static_cast<double>(std::min(c.width, c.height)) / 224));
  }
};

/// Evaluation's view: torchvision's Resize then CenterCrop. A picture that already has the size passes unchanged.
class CenterCrop final : public Transform {
 public:
  static constexpr ComponentText kText{"center-crop", "evaluation's view: resized, and the middle",
                                       "as torchvision's Resize and CenterCrop"};
  using Options = NoSettings;
  CenterCrop(const Options&, const TransformContext& c)
      : height_(c.height), width_(c.width), short_side_(c.short_side) {}
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

}  // namespace graft::transforms
