#pragma once

#include <algorithm>
#include <cmath>

#include "augment/transforms/fit.h"

namespace graft::transforms {

/// A random part of `smallest`…1 of the area with aspect 1/a…a, resized [Szegedy et al. 2014].
class ResizedCrop final : public Transform {
 public:
  static constexpr ComponentText kText{"resized-crop", "a random part of the picture, resized",
                                       "area in smallest…1, aspect in 1/a…a  [Szegedy et al. 2014]"};
  struct Options {
    float smallest = 0.25f, aspect = 4.0f / 3;
    void describe(SettingVisitor& visit) {
      visit("smallest", smallest, {.low = 0.001, .high = 1, .help = "the least part of the area"});
      visit("aspect", aspect, {.low = 1, .high = 10, .help = "a, the largest width over height"});
    }
  };
  ResizedCrop(const Options& o, const TransformContext& c)
      : context_(c), smallest_(o.smallest), aspect_(std::log(o.aspect)) {}
  void apply(WarpedImage& image, Random& random) const override {
    const double area = static_cast<double>(image.width() * image.height());
    // Where both sides are resized, parts have the proportions that they have afterwards.
    const double squash = context_.fit == Fit::squash ? static_cast<double>(image.width() * context_.height) /
                                                            static_cast<double>(image.height() * context_.width)
                                                      : 1;
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double part = area * static_cast<double>(random.uniform(smallest_, 1));
      const double aspect = squash * std::exp(static_cast<double>(random.uniform(-aspect_, aspect_)));
      const auto w = static_cast<int64_t>(std::lround(std::sqrt(part * aspect))),
                 h = static_cast<int64_t>(std::lround(std::sqrt(part / aspect)));
      if (w < 1 || h < 1 || w > image.width() || h > image.height()) continue;
      const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(image.width() - w + 1)));
      const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(image.height() - h + 1)));
      return take(image, left, top, w, h);
    }
    if (context_.fit != Fit::crop) return take(image, 0, 0, image.width(), image.height());
    const int64_t side = std::min(image.width(), image.height());
    take(image, (image.width() - side) / 2, (image.height() - side) / 2, side, side);
  }
  /// So that the smallest part is not enlarged.
  bool crops() const override { return true; }
  std::optional<int64_t> least_side() const override {
    const double part = std::sqrt(static_cast<double>(smallest_) / std::exp(static_cast<double>(aspect_)));
    return static_cast<int64_t>(std::ceil(static_cast<double>(std::max(context_.height, context_.width)) / part));
  }

 private:
  void take(WarpedImage& image, int64_t left, int64_t top, int64_t w, int64_t h) const {
    const Box part{static_cast<double>(left), static_cast<double>(top), static_cast<double>(left + w),
                   static_cast<double>(top + h)};
    if (context_.fit == Fit::letterbox) return letterbox(image, part, context_, 0.5, 0.5);
    image.resize(part, context_.width, context_.height, {0, 0, context_.width, context_.height}, context_.sampling);
  }
  TransformContext context_;
  float smallest_, aspect_;
};

}  // namespace graft::transforms
