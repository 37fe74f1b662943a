#pragma once

#include <algorithm>
#include <cmath>

#include "augment/transforms/fit.h"

namespace graft::transforms {

/// Resizes the short side to a length in low…high (or both, as evaluation does), then cuts at a random place.
/// Letterboxed pictures are whole, at a random place between the bars.
class RandomCrop : public Transform {
 public:
  RandomCrop(const TransformContext& c, int64_t low, int64_t high) : context_(c), low_(low), high_(high) {}
  void apply(WarpedImage& image, Random& random) const override {
    const int64_t side = low_ + static_cast<int64_t>(random.below(static_cast<uint64_t>(high_ - low_ + 1)));
    if (context_.fit == Fit::letterbox) {
      const auto across = static_cast<double>(random.uniform()), down = static_cast<double>(random.uniform());
      return letterbox(image, all_of(image), context_, across, down);
    }
    const Size scaled = size_before_crop(image, side, context_);
    const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(scaled.width - context_.width + 1)));
    const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(scaled.height - context_.height + 1)));
    image.resize(all_of(image), scaled.width, scaled.height, {left, top, context_.width, context_.height},
                 context_.sampling);
  }
  bool crops() const override { return true; }
  std::optional<int64_t> least_side() const override {
    return std::max({context_.fit == Fit::letterbox ? 0 : high_, context_.height, context_.width});
  }

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
  ScaleCrop(const Options& o, const TransformContext& c) : RandomCrop(c, scaled(o.low, c), scaled(o.high, c)) {
    check_range("low", o.low, "high", o.high);
  }

 private:
  static int64_t scaled(int64_t side, const TransformContext& c) {
    return std::lround(static_cast<double>(side) * (static_cast<double>(std::min(c.width, c.height)) / 224));
  }
};

}  // namespace graft::transforms
