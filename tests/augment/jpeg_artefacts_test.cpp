#include "augment/pixels/jpeg_artefacts.h"

#include <gtest/gtest.h>

#include "augment/decode.h"
#include "augment/encode.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

/// Smooth colours with edges and noise on them, so that every coefficient of the blocks is there.
Image picture(int64_t width, int64_t height, uint64_t seed) {
  Random random(seed);
  Image image(width, height);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < 3 * width; ++x) {
      const int64_t smooth = (x * 5 + y * 3 + (x % 3) * 70) % 256, edge = (x / 30 + y / 7) % 2 ? 200 : 0;
      const int64_t noise = static_cast<int64_t>(random.below(64));
      image.row(y)[x] = static_cast<uint8_t>(std::clamp<int64_t>((smooth + edge) / 2 + noise - 32, 0, 255));
    }
  return image;
}

TEST(JpegArtefacts, AreThoseOfAFileThatLibjpegWritesAndReads) {
  const std::pair<int64_t, int64_t> sizes[] = {{1, 1},   {2, 3},   {4, 4},   {5, 1},    {7, 9},
                                               {16, 16}, {17, 31}, {50, 33}, {224, 224}};
  for (const auto& [width, height] : sizes)
    for (const int quality : {1, 10, 49, 50, 75, 95, 100}) {
      const Image image = picture(width, height, static_cast<uint64_t>(quality));
      EXPECT_TRUE(with_jpeg_artefacts(image, quality).pixels == decode_image(jpeg_of(image, quality), {}).pixels)
          << width << "×" << height << " at quality " << quality;
    }
}

TEST(JpegArtefacts, GrowAsQualityFalls) {
  const Image image = picture(64, 64, 1);
  int64_t previous = 0;
  for (const int quality : {100, 80, 50, 20, 5}) {
    const Image damaged = with_jpeg_artefacts(image, quality);
    int64_t difference = 0;
    for (size_t i = 0; i < image.pixels.size(); ++i) difference += std::abs(image.pixels[i] - damaged.pixels[i]);
    EXPECT_GT(difference, previous) << "quality " << quality;
    previous = difference;
  }
}

}  // namespace
}  // namespace graft
