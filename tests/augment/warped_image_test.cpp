#include "augment/pixels/warped_image.h"

#include <gtest/gtest.h>

#include <cmath>

namespace graft {
namespace {

constexpr Sampling kSampling{Interpolation::bilinear, {1, 2, 3}};

Image pattern(int64_t w, int64_t h) {
  Image image(w, h);
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x)
      for (int64_t c = 0; c < 3; ++c) image.row(y)[3 * x + c] = static_cast<uint8_t>((x * 7 + y * 13 + c * 50) & 0xff);
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.pixels.size(), b.pixels.size());
  int most = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) most = std::max(most, std::abs(a.pixels[i] - b.pixels[i]));
  return most;
}

TEST(WarpedImage, AlonePixelsAreThoseOfResizing) {
  const Image image = pattern(50, 40);
  WarpedImage warped(image);
  warped.resize({3, 5, 45, 33}, 30, 20, {4, 2, 16, 12}, kSampling);
  EXPECT_EQ(warped.width(), 16);
  EXPECT_EQ(warped.height(), 12);
  EXPECT_EQ(warped.pixels().pixels,
            resize_window(image, {3, 5, 45, 33}, 30, 20, {4, 2, 16, 12}, Interpolation::bilinear).pixels);
}

TEST(WarpedImage, WholePixelsMoveUnchanged) {
  const Image image = pattern(20, 10);
  WarpedImage warped(image);
  warped.warp(Matrix3::translation(3, -2), kSampling);
  const Image& moved = warped.pixels();
  for (int64_t y = 0; y < 10; ++y)
    for (int64_t x = 0; x < 20; ++x) {
      const bool inside = x + 3 < 20 && y - 2 >= 0;
      const uint8_t* expected = inside ? image.row(y - 2) + 3 * (x + 3) : kSampling.fill.data();
      for (int64_t c = 0; c < 3; ++c) EXPECT_EQ(moved.row(y)[3 * x + c], expected[c]) << x << ' ' << y;
    }
}

TEST(WarpedImage, AQuarterTurnOfASquareMovesWholePixels) {
  const Image image = pattern(16, 16);
  WarpedImage warped(image);
  warped.warp(Matrix3::rotation(std::acos(0.0)).about(warped.centre()), kSampling);
  const Image& turned = warped.pixels();
  for (int64_t y = 1; y < 15; ++y)
    for (int64_t x = 1; x < 15; ++x) EXPECT_NEAR(turned.row(y)[3 * x], image.row(x)[3 * (15 - y)], 1) << x << ' ' << y;
}

TEST(WarpedImage, FlipsBetweenMovementsCount) {
  const Image image = pattern(21, 15);
  const Matrix3 move = Matrix3::translation(4, 1);
  WarpedImage noted(image), one_by_one(image);
  noted.warp(move, kSampling);
  noted.flip_left_right();
  noted.flip_top_bottom();
  noted.warp(move, kSampling);
  one_by_one.warp(move, kSampling);
  one_by_one.flip_left_right();
  one_by_one.flip_top_bottom();
  Image between = upright(one_by_one.pixels());
  one_by_one = WarpedImage(between);
  one_by_one.warp(move, kSampling);
  // One by one, what left the picture is lost; noted, it comes back: here it is compared where it never left.
  const Image a = noted.upright_pixels(), b = one_by_one.upright_pixels();
  int compared = 0;
  for (int64_t y = 0; y < 15; ++y)
    for (int64_t x = 0; x < 21; ++x)
      if (b.row(y)[3 * x] != 1 || b.row(y)[3 * x + 1] != 2) {
        ++compared;
        for (int64_t c = 0; c < 3; ++c) EXPECT_EQ(a.row(y)[3 * x + c], b.row(y)[3 * x + c]) << x << ' ' << y;
      }
  EXPECT_GT(compared, 150);
}

TEST(WarpedImage, ACropOfACropIsOneSampling) {
  const Image image = pattern(64, 48);
  WarpedImage warped(image);
  warped.resize({8, 8, 40, 40}, 32, 32, {0, 0, 32, 32}, kSampling);
  warped.resize({4, 4, 20, 20}, 16, 16, {0, 0, 16, 16}, kSampling);
  const Image& cut = warped.pixels();
  for (int64_t y = 0; y < 16; ++y)
    for (int64_t i = 0; i < 48; ++i) EXPECT_EQ(cut.row(y)[i], image.row(y + 12)[36 + i]);
}

/// A picture that was decoded at half its size has the size that it stands for.
TEST(WarpedImage, PartsOfTheSizeAreHidden) {
  Image image = pattern(20, 14);
  image.full_width = 39;
  image.full_height = 28;
  image.part = 0.5;
  WarpedImage warped(image);
  EXPECT_EQ(warped.width(), 39);
  EXPECT_EQ(warped.height(), 28);
  warped.resize({0, 0, 39, 28}, 10, 7, {0, 0, 10, 7}, kSampling);
  EXPECT_EQ(warped.pixels().pixels, resize(image, whole(image), 10, 7).pixels);
  WarpedImage turned(image);
  turned.warp(Matrix3{}, kSampling);
  EXPECT_EQ(turned.pixels().width, 39);
}

TEST(WarpedImage, OnePixelIsEnough) {
  for (const auto& [w, h] : {std::pair<int64_t, int64_t>{1, 1}, {1, 9}, {9, 1}}) {
    const Image image = pattern(w, h);
    WarpedImage warped(image);
    warped.warp(Matrix3::rotation(0.3).about(warped.centre()), kSampling);
    EXPECT_EQ(warped.pixels().pixels.size(), image.pixels.size());
    WarpedImage same(image);
    same.warp(Matrix3{}, kSampling);
    EXPECT_EQ(same.pixels().pixels, image.pixels);
    // Across a picture of one column nothing changes, wherever it is sampled.
    WarpedImage moved(image);
    moved.warp(Matrix3::translation(w == 1 ? 0.4 : 0, h == 1 ? 0.4 : 0), kSampling);
    EXPECT_EQ(moved.pixels().pixels, image.pixels) << w << ' ' << h;
  }
}

/// However much is shrunk, and whatever the sides leave over: where the picture is white, so is the result.
TEST(WarpedImage, ShrunkPicturesReachTheirBorders) {
  for (const int64_t side : {401, 479, 480, 1001}) {
    Image white(side, side + 7);
    std::fill(white.pixels.begin(), white.pixels.end(), uint8_t{255});
    WarpedImage warped(white);
    warped.resize({0, 0, static_cast<double>(side), static_cast<double>(side + 7)}, 24, 24, {0, 0, 24, 24}, kSampling);
    warped.warp(Matrix3{}, kSampling);
    for (const uint8_t v : warped.pixels().pixels) ASSERT_EQ(v, 255) << side;
  }
}

/// By the documented formula: a pixel right of the centre goes down by tan(β) of its distance.
TEST(WarpedImage, ShearMovesPixelsForwards) {
  Image image(41, 41);
  std::fill_n(image.row(20) + 3 * 30, 3, uint8_t{255});  // 10 right of the centre
  WarpedImage warped(image);
  warped.warp(Matrix3::shear(0, 0.5).inverse().about(warped.centre()), {Interpolation::nearest, {0, 0, 0}});
  EXPECT_EQ(warped.pixels().row(25)[3 * 30], 255);
}

TEST(WarpedImage, NearestTakesPixelsAsTheyAre) {
  const Image image = pattern(12, 12);
  WarpedImage warped(image);
  warped.warp(Matrix3::scaling(0.5, 0.5), {Interpolation::nearest, {0, 0, 0}});
  const Image& doubled = warped.pixels();
  for (int64_t y = 0; y < 12; ++y)
    for (int64_t x = 0; x < 12; ++x) EXPECT_EQ(doubled.row(y)[3 * x], image.row(y / 2)[3 * (x / 2)]);
}

TEST(Matrix3, ProjectionsTakeCornersToCorners) {
  const std::array<Place, 4> from{{{0, 0}, {10, 1}, {9, 8}, {-1, 7}}}, to{{{2, 3}, {20, 0}, {22, 19}, {0, 15}}};
  Warp warp;
  warp.append(Matrix3::between(from, to));
  for (size_t i = 0; i < 4; ++i) {
    const Place found = warp.source_of(from[i]);
    EXPECT_NEAR(found.x, to[i].x, 1e-4);
    EXPECT_NEAR(found.y, to[i].y, 1e-4);
  }
}

TEST(Matrix3, BehindTheViewerThereIsNothing) {
  Warp warp;
  warp.append(Matrix3{{1, 0, 0, 0, 1, 0, -0.2, 0, 1}});
  EXPECT_FALSE(std::isfinite(warp.source_of({10, 0}).x));
  EXPECT_TRUE(std::isfinite(warp.source_of({1, 0}).x));
}

TEST(Warp, LensAndItsAbsenceDiffer) {
  const Image image = pattern(40, 40);
  WarpedImage bent(image), straight(image);
  bent.warp(RadialDistortion{bent.centre(), 28, 0.3, 0}, kSampling);
  straight.warp(RadialDistortion{straight.centre(), 28, 0, 0}, kSampling);
  EXPECT_EQ(straight.pixels().pixels, image.pixels);
  EXPECT_GT(largest_difference(bent.pixels(), image), 20);
}

}  // namespace
}  // namespace graft
