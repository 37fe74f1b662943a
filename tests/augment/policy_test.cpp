#include "augment/transforms/policy.h"

#include <gtest/gtest.h>

namespace graft::transforms {
namespace {

Image ramp() {
  Image image(16, 16);
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i / 3);
  return image;
}

Image after(const Policy& policy, uint64_t operation, double strength, uint64_t key = 0) {
  WarpedImage image(ramp());
  Random random(key);
  policy.apply(image, operation, strength, {Interpolation::nearest, {7, 7, 7}}, random);
  return image.upright_pixels();
}

constexpr Policy kRand,
    kWide{
        .shear = 0.99, .degrees = 135, .tone = 0.99, .translate_part = 0, .translate_pixels = 32, .posterize_bits = 6};

/// torchvision.transforms.v2: RandAugment keeps 8 - round(k / 7.5) bits, TrivialAugmentWide 8 - round(k / 5).
TEST(Policy, PosterizeKeepsTorchvisionsBits) {
  const int rand[31] = {8, 8, 8, 8, 7, 7, 7, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4};
  for (int k = 0; k <= 30; ++k) {
    if (k % 15 == 0 && k % 30 != 0) continue;  // halves: torch rounds them to even numbers
    Image expected = ramp();
    posterize(expected, rand[k]);
    EXPECT_EQ(after(kRand, 10, k / 30.0).pixels, expected.pixels) << k;
  }
  Image most = ramp();
  posterize(most, 2);
  EXPECT_EQ(after(kWide, 10, 1).pixels, most.pixels);
}

/// Values from linspace(255, 0, 31)[k] = 255 - 8.5·k on are inverted.
TEST(Policy, SolarizeBeginsWhereTorchvisionsDoes) {
  for (int k = 0; k <= 30; ++k) {
    const Image found = after(kRand, 11, k / 30.0);
    for (int v = 0; v < 256; ++v)
      EXPECT_EQ(found.pixels[static_cast<size_t>(3 * v)], v >= 255 - 8.5 * k ? 255 - v : v) << k << ' ' << v;
  }
}

TEST(Policy, TonesHaveTorchvisionsFactors) {
  for (const uint64_t key : {0, 1, 2, 3}) {
    const double sign = Random(key).below(2) == 1 ? -1 : 1;
    Image bright = ramp(), contrasted = ramp();
    brighten(bright, static_cast<float>(1 + 0.9 * 0.3 * sign));
    scale_contrast(contrasted, static_cast<float>(1 + 0.99 * 0.5 * sign));
    EXPECT_EQ(after(kRand, 6, 0.3, key).pixels, bright.pixels);
    EXPECT_EQ(after(kWide, 8, 0.5, key).pixels, contrasted.pixels);
  }
  EXPECT_EQ(after(kRand, 0, 1).pixels, ramp().pixels);
}

/// By whole pixels: 16 · 150/331 · 0.3 = 2.17.
TEST(Policy, PicturesMoveByTorchvisionsPixels) {
  for (const uint64_t key : {0, 1, 2, 3}) {
    const int64_t move = Random(key).below(2) == 1 ? -2 : 2;
    const Image found = after(kRand, 3, 0.3, key);
    for (int64_t x = 0; x < 16; ++x)
      EXPECT_EQ(found.row(5)[3 * x], x + move < 0 || x + move > 15 ? 7 : 80 + x + move) << x;
  }
}

}  // namespace
}  // namespace graft::transforms
