#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "augment/resize.h"
#include "augment/transforms/transform.h"
#include "runtime/core/component.h"

namespace graft::transforms {

inline Box all_of(const WarpedImage& image) {
  return {0, 0, static_cast<double>(image.width()), static_cast<double>(image.height())};
}

/// Resizes the short side to a length in low…high, then cuts at a random place.
class RandomCrop : public Transform {
 public:
  RandomCrop(const TransformContext& c, int64_t low, int64_t high) : context_(c), low_(low), high_(high) {}
  void apply(WarpedImage& image, Random& random) const override {
    const int64_t side = low_ + static_cast<int64_t>(random.below(static_cast<uint64_t>(high_ - low_ + 1)));
    const Size scaled = fitting_size(image.width(), image.height(), side, context_.width, context_.height);
    const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(scaled.width - context_.width + 1)));
    const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(scaled.height - context_.height + 1)));
    image.resize(all_of(image), scaled.width, scaled.height, {left, top, context_.width, context_.height},
                 context_.sampling);
  }
  std::optional<int64_t> least_side() const override { return std::max({high_, context_.height, context_.width}); }

 private:
  TransformContext context_;
  int64_t low_, high_;
};

/// The short side that evaluation has, then a random place.
class PlainCrop final : public RandomCrop {
 public:
  static constexpr ComponentText kText{"crop",
                                       "the picture with the short side that evaluation has, cut at a random place",
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

/// Evaluation's view: torchvision's Resize then CenterCrop, both sides resized, or bars beside the whole picture. A
/// picture that already has the size passes unchanged, unless it is always to be resized.
class CenterCrop final : public Transform {
 public:
  static constexpr ComponentText kText{"center-crop", "evaluation's view: resized, and the middle",
                                       "as torchvision's Resize and CenterCrop"};
  using Options = NoSettings;
  CenterCrop(const Options&, const TransformContext& c) : context_(c) {}
  void apply(WarpedImage& image, Random&) const override {
    const TransformContext& c = context_;
    if (image.width() == c.width && image.height() == c.height && !c.always_resize) return;
    if (c.fit == Fit::letterbox) return put_into_bars(image);
    const Size scaled = c.fit == Fit::squash ? squashed()
                                             : fitting_size(image.width(), image.height(),
                                                            c.short_side > 0 ? c.short_side : shorter(image), c.width,
                                                            c.height);
    const auto middle = [](int64_t extent, int64_t part) {
      return static_cast<int64_t>(std::nearbyint(static_cast<double>(extent - part) / 2));
    };
    image.resize(all_of(image), scaled.width, scaled.height,
                 {middle(scaled.width, c.width), middle(scaled.height, c.height), c.width, c.height}, c.sampling);
  }
  std::optional<int64_t> least_side() const override {
    const TransformContext& c = context_;
    if (c.fit == Fit::crop) return c.short_side > 0 ? std::max({c.short_side, c.height, c.width}) : 0;
    const Size scaled = c.fit == Fit::squash ? squashed() : Size{c.width, c.height};
    return std::max(scaled.width, scaled.height);
  }

 private:
  static int64_t shorter(const WarpedImage& image) { return std::min(image.width(), image.height()); }
  /// In the crop's proportions, its shorter side as long as a short side would be.
  Size squashed() const {
    const TransformContext& c = context_;
    const int64_t side = std::min(c.width, c.height), wanted = std::max(side, c.short_side);
    return {c.width * wanted / side, c.height * wanted / side};
  }
  void put_into_bars(WarpedImage& image) const {
    const TransformContext& c = context_;
    // The side that fills the crop decides; in whole numbers.
    const int64_t own_width = image.width(), own_height = image.height();
    const bool full_width = own_width * c.height >= own_height * c.width;
    const auto in_proportion = [](int64_t a, int64_t b, int64_t d) {
      return std::max<int64_t>(1, (2 * a * b + d) / (2 * d));
    };
    const int64_t width = full_width ? c.width : in_proportion(own_width, c.height, own_height),
                  height = full_width ? in_proportion(own_height, c.width, own_width) : c.height;
    image.resize(all_of(image), width, height, {0, 0, width, height}, c.sampling);
    const Image& inside = image.upright_pixels();
    Image result(c.width, c.height);
    for (size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = c.sampling.fill[i % 3];
    for (int64_t y = 0; y < height; ++y)
      std::memcpy(result.row((c.height - height) / 2 + y) + 3 * ((c.width - width) / 2), inside.row(y),
                  static_cast<size_t>(3 * width));
    image = WarpedImage(std::move(result));
  }
  TransformContext context_;
};

}  // namespace graft::transforms
