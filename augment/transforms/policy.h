#pragma once

#include <algorithm>
#include <cmath>

#include "augment/pixels/tone.h"
#include "augment/transforms/movement.h"

namespace graft::transforms {

/// The operations that RandAugment and TrivialAugment draw from, and how strong each is at most; torchvision's.
struct Policy {
  double shear = 0.3, degrees = 30, tone = 0.9;
  double translate_part = 150.0 / 331, translate_pixels = 0;  // of the width or height, and beside that
  int posterize_bits = 4;                                     // how many of eight go at most

  static constexpr uint64_t kOperations = 14;

  /// Carries out one of them; `strength` in 0…1. Those that have two directions draw theirs.
  void apply(WarpedImage& image, uint64_t operation, double strength, const Sampling& sampling, Random& random) const {
    const bool two_ways = operation >= 1 && operation <= 9;
    const double way = two_ways && random.below(2) == 1 ? -strength : strength;
    const auto factor = static_cast<float>(1 + tone * way);
    const auto distance = [&](int64_t extent) {
      return std::trunc(way * (translate_part * static_cast<double>(extent) + translate_pixels));
    };
    switch (operation) {
      case 1:
        return image.warp(Matrix3::shear(shear * way, 0), sampling);
      case 2:
        return image.warp(Matrix3::shear(0, shear * way), sampling);
      case 3:
        return image.warp(Matrix3::translation(distance(image.width()), 0), sampling);
      case 4:
        return image.warp(Matrix3::translation(0, distance(image.height())), sampling);
      case 5:
        return image.warp(Matrix3::rotation(radians(degrees * way)).about(image.centre()), sampling);
      case 6:
        return brighten(image.pixels(), factor);
      case 7:
        return saturate(image.pixels(), factor);
      case 8:
        return scale_contrast(image.pixels(), factor);
      case 9:
        return sharpen(image.pixels(), factor);
      case 10:
        return posterize(image.pixels(), 8 - static_cast<int>(std::lround(posterize_bits * strength)));
      case 11:
        return solarize(image.pixels(), static_cast<int>(std::ceil(255 * (1 - strength) - 1e-9)));
      case 12:
        return spread_contrast(image.pixels());
      case 13:
        return equalize(image.pixels());
      default:
        return;  // a picture as it is
    }
  }
};

}  // namespace graft::transforms
