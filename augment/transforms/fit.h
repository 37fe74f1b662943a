#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "augment/pixels/resize.h"
#include "augment/transforms/transform.h"

// How pictures of another shape come into a crop, for all that crops.

namespace graft::transforms {

inline Box all_of(const WarpedImage& image) {
  return {0, 0, static_cast<double>(image.width()), static_cast<double>(image.height())};
}

/// In the crop's proportions, its shorter side as long as a short side would be.
inline Size squashed_size(int64_t short_side, const TransformContext& c) {
  const int64_t side = std::min(c.width, c.height), wanted = std::max(side, short_side);
  return {c.width * wanted / side, c.height * wanted / side};
}

/// The size to which a picture is resized before a crop is taken of it.
inline Size size_before_crop(const WarpedImage& image, int64_t short_side, const TransformContext& c) {
  return c.fit == Fit::squash ? squashed_size(short_side, c)
                              : fitting_size(image.width(), image.height(), short_side, c.width, c.height);
}

/// All of a part, as large as the crop allows, with bars beside it. `across`, `down`: where it stands between them, 0
/// to 1.
inline void letterbox(WarpedImage& image, const Box& part, const TransformContext& c, double across, double down) {
  // The side that fills the crop decides; in whole numbers.
  const auto own_width = static_cast<int64_t>(part.right - part.left),
             own_height = static_cast<int64_t>(part.bottom - part.top);
  const bool full_width = own_width * c.height >= own_height * c.width;
  const auto in_proportion = [](int64_t a, int64_t b, int64_t d) {
    return std::max<int64_t>(1, (2 * a * b + d) / (2 * d));
  };
  const int64_t width = full_width ? c.width : in_proportion(own_width, c.height, own_height),
                height = full_width ? in_proportion(own_height, c.width, own_width) : c.height;
  image.resize(part, width, height, {0, 0, width, height}, c.sampling);
  const Image& inside = image.upright_pixels();
  Image result(c.width, c.height);
  for (size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = c.sampling.fill[i % 3];
  const auto left = static_cast<int64_t>(static_cast<double>(c.width - width) * across),
             top = static_cast<int64_t>(static_cast<double>(c.height - height) * down);
  for (int64_t y = 0; y < height; ++y)
    std::memcpy(result.row(top + y) + 3 * left, inside.row(y), static_cast<size_t>(3 * width));
  image = WarpedImage(std::move(result));
}

}  // namespace graft::transforms
