#include "augment/data/picture_hash.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "augment/pixels/resize.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// A smooth scene of random colours.
Image scene(uint64_t seed, int64_t width = 160, int64_t height = 120) {
  Random random(seed);
  Image small(6, 5);
  for (uint8_t& p : small.pixels) p = static_cast<uint8_t>(random.below(256));
  return resize(small, whole(small), width, height, Interpolation::bicubic);
}

std::vector<std::pair<size_t, size_t>> pairs(const std::vector<Image>& images) {
  std::vector<PictureHash> hashes;
  for (const Image& image : images) hashes.push_back(hash_of(image));
  std::vector<std::pair<size_t, size_t>> found;
  for (const Likeness& like : like_pictures(hashes)) found.emplace_back(like.first, like.second);
  return found;
}

TEST(PictureHash, FindsCopiesAndNothingElse) {
  std::vector<Image> images;
  for (uint64_t i = 0; i < 40; ++i) images.push_back(scene(i));
  EXPECT_TRUE(pairs(images).empty());
  images.push_back(scene(7));
  EXPECT_EQ(pairs(images), (std::vector<std::pair<size_t, size_t>>{{7, 40}}));
  EXPECT_TRUE(like_pictures({hash_of(images[7]), hash_of(images[40])})[0].same_pixels);
}

TEST(PictureHash, FindsResizedRelitAndSlightlyCroppedOnes) {
  const Image original = scene(3);
  Image brighter = original;
  for (uint8_t& p : brighter.pixels) p = static_cast<uint8_t>(std::min(255, p + 6));
  const std::vector<Image> images{original, resize(original, whole(original), 90, 70), brighter,
                                  resize(original, {2, 1, 158, 119}, 156, 118)};
  EXPECT_EQ(pairs(images).size(), 6u);  // each with each
  EXPECT_FALSE(like_pictures({hash_of(images[0]), hash_of(images[2])})[0].same_pixels);
}

TEST(PictureHash, FlatPicturesOfOtherColoursAreNotAlike) {
  Image red(20, 20), blue(20, 20);
  for (size_t i = 0; i < red.pixels.size(); i += 3) red.pixels[i] = blue.pixels[i + 2] = 200;
  EXPECT_TRUE(pairs({red, blue}).empty());
}

TEST(PictureHash, TheSamePixelsInAnotherShapeAreNotACopy) {
  EXPECT_NE(hash_of(Image(4, 6)).pixels, hash_of(Image(6, 4)).pixels);
}

}  // namespace
}  // namespace graft
