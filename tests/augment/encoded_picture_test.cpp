#include "augment/encoded_picture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "augment/pipeline.h"
#include "augment/pixels/resize.h"
#include "augment/pixels/warped_image.h"
#include "runtime/core/error.h"
#include "runtime/core/random.h"

namespace graft {
namespace {

struct JpegKind {
  int across = 2, down = 2;  // luma samples for one of chroma
  bool progressive = false, grey = false, restarts = false;
  int orientation = 1;
};

/// Colours that change from pixel to pixel, so that each place is told from its neighbours.
std::vector<uint8_t> jpeg(int width, int height, const JpegKind& kind) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = kind.grey ? 1 : 3;
  info.in_color_space = kind.grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 92, TRUE);
  info.comp_info[0].h_samp_factor = kind.across;
  info.comp_info[0].v_samp_factor = kind.down;
  if (kind.progressive) jpeg_simple_progression(&info);
  if (kind.restarts) info.restart_in_rows = 1;
  jpeg_start_compress(&info, TRUE);
  if (kind.orientation > 1) {
    const uint8_t exif[] = {'E', 'x', 'i', 'f', 0,    0, 'M', 'M', 0, 42, 0, 0, 0,
                            8,   0,   1,   1,   0x12, 0, 3,   0,   0, 0,  1, 0, static_cast<uint8_t>(kind.orientation),
                            0,   0,   0,   0,   0,    0};
    jpeg_write_marker(&info, JPEG_APP0 + 1, exif, sizeof exif);
  }
  std::vector<uint8_t> row(static_cast<size_t>(width * info.input_components));
  Random random(7);
  for (int y = 0; y < height; ++y) {
    for (uint8_t& v : row) v = static_cast<uint8_t>(random.below(256));
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&info, &rows, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::vector<uint8_t> result(bytes, bytes + size);
  std::free(bytes);
  return result;
}

std::vector<JpegKind> kinds() {
  std::vector<JpegKind> kinds;
  for (const auto& [across, down] : {std::pair{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}})
    for (const bool progressive : {false, true}) kinds.push_back({across, down, progressive});
  kinds.push_back({.across = 1, .down = 1, .grey = true});
  kinds.push_back({.restarts = true});
  for (int orientation = 2; orientation <= 8; ++orientation) kinds.push_back({.orientation = orientation});
  return kinds;
}

// Whatever part is decoded alone, at whatever scale: its pixels are those of the whole picture.
TEST(EncodedPicture, APartIsThatOfTheWhole) {
  Random random(11);
  const int sizes[][2] = {{203, 131}, {64, 48}, {17, 300}};
  for (const JpegKind& kind : kinds())
    for (const auto& [w, h] : sizes)
      for (const int64_t least_side : {0, 8, 20}) {
        const std::vector<uint8_t> bytes = jpeg(w, h, kind);
        const EncodedPicture picture(bytes, {.least_side = least_side});
        const Image all = picture.decode();
        for (int trial = 0; trial < 8; ++trial) {
          const auto place = [&](int64_t extent) {
            return static_cast<double>(random.uniform()) * static_cast<double>(extent);
          };
          const double x0 = place(picture.width()), x1 = place(picture.width()), y0 = place(picture.height()),
                       y1 = place(picture.height());
          const Box box{std::min(x0, x1), std::min(y0, y1), std::max(x0, x1), std::max(y0, y1)};
          const ImagePart part = picture.decode(box);
          const auto place_text = [&, w = w, h = h] {
            return testing::Message() << kind.across << 'x' << kind.down << (kind.progressive ? " progressive" : "")
                                      << " orientation " << kind.orientation << ' ' << w << 'x' << h << " least "
                                      << least_side << " at " << box.left << ' ' << box.top << ' ' << box.right << ' '
                                      << box.bottom;
          };
          ASSERT_EQ(part.width, all.width) << place_text();
          ASSERT_EQ(part.height, all.height) << place_text();
          const Box whole_of_all = whole(all), whole_of_part = whole(part);
          EXPECT_EQ(whole_of_part.left, whole_of_all.left);
          EXPECT_EQ(whole_of_part.bottom, whole_of_all.bottom);
          // The part itself and four pixels beside it: those at its edges may lack neighbours for their chroma.
          const double sx = static_cast<double>(all.width) / static_cast<double>(picture.width()),
                       sy = static_cast<double>(all.height) / static_cast<double>(picture.height());
          const auto from = [&](double v, double s) { return std::max<int64_t>(0, static_cast<int64_t>(v * s) - 4); };
          const auto to = [&](double v, double s, int64_t end) {
            return std::min(end, static_cast<int64_t>(v * s) + 5);
          };
          for (int64_t y = from(box.top, sy); y < to(box.bottom, sy, all.height); ++y)
            for (int64_t x = from(box.left, sx); x < to(box.right, sx, all.width); ++x) {
              const int64_t px = x - part.window.left, py = y - part.window.top;
              ASSERT_TRUE(px >= 0 && py >= 0 && px < part.window.width && py < part.window.height)
                  << place_text() << ": " << x << ' ' << y;
              for (int64_t c = 0; c < 3; ++c)
                ASSERT_EQ(part.pixels.row(py)[3 * px + c], all.row(y)[3 * x + c])
                    << place_text() << ": " << x << ' ' << y;
            }
        }
      }
}

TEST(EncodedPicture, OnlyThePartIsDecoded) {
  const std::vector<uint8_t> bytes = jpeg(400, 400, {});
  const ImagePart part = EncodedPicture(bytes, {}).decode({100, 200, 130, 220});
  EXPECT_LT(part.window.width, 100);
  EXPECT_LT(part.window.height, 60);
}

TEST(EncodedPicture, DamageBesideThePartIsFound) {
  std::vector<uint8_t> bytes = jpeg(400, 400, {});
  bytes.resize(bytes.size() * 3 / 4);
  const EncodedPicture truncated(bytes, {});
  EXPECT_THROW(truncated.decode({0, 0, 20, 20}), Error);
  bytes = jpeg(400, 400, {.restarts = true});
  std::fill(bytes.begin() + static_cast<int64_t>(bytes.size()) * 3 / 4, bytes.end() - 1000, uint8_t{0});
  const EncodedPicture damaged(bytes, {});
  EXPECT_THROW(damaged.decode({0, 0, 20, 20}), Error);
  EXPECT_THROW(damaged.decode(), Error);
}

TEST(EncodedPicture, CropsAreThoseOfADecodedPicture) {
  Random random(5);
  for (const int orientation : {1, 6})
    for (const Interpolation interpolation :
         {Interpolation::bilinear, Interpolation::bicubic, Interpolation::lanczos, Interpolation::nearest})
      for (const int64_t least_side : {0, 40}) {
        const std::vector<uint8_t> bytes = jpeg(331, 250, {.orientation = orientation});
        const DecodeOptions options{.least_side = least_side};
        for (int trial = 0; trial < 12; ++trial) {
          const Sampling sampling{interpolation, {}};
          const auto crop = [&](WarpedImage image) {
            Random own(static_cast<uint64_t>(trial));
            const auto w = static_cast<double>(image.width()), h = static_cast<double>(image.height());
            const double left = static_cast<double>(own.uniform()) * w * 0.6,
                         top = static_cast<double>(own.uniform()) * h * 0.6,
                         right = left + 4 + static_cast<double>(own.uniform()) * (w - left - 4),
                         bottom = top + 4 + static_cast<double>(own.uniform()) * (h - top - 4);
            image.resize({left, top, right, bottom}, 48, 40, {3, 2, 32, 32}, sampling);
            if (trial % 2) image.flip_left_right();
            if (trial % 3 == 2) image.warp(Matrix3::rotation(0.1).about(image.centre()), sampling);
            return image.upright_pixels().pixels;
          };
          EXPECT_EQ(crop(WarpedImage(EncodedPicture(bytes, options))), crop(WarpedImage(decode_image(bytes, options))))
              << orientation << ' ' << least_side << ' ' << trial;
        }
      }
}

TEST(EncodedPicture, FlippedBeforeACropItIsDecodedWhole) {
  const std::vector<uint8_t> bytes = jpeg(60, 50, {});
  const Sampling sampling;
  const auto crop = [&](WarpedImage image) {
    image.flip_left_right();
    image.resize({5, 5, 40, 45}, 20, 20, {0, 0, 20, 20}, sampling);
    return image.upright_pixels().pixels;
  };
  const auto shared = std::make_shared<const Image>(decode_image(bytes, {}));
  const std::vector<uint8_t> expected = crop(WarpedImage(*shared));
  EXPECT_EQ(crop(WarpedImage(EncodedPicture(bytes, {}))), expected);
  EXPECT_EQ(crop(WarpedImage(shared)), expected);
}

TEST(EncodedPicture, ASharedPictureIsNotChanged) {
  const auto shared = std::make_shared<const Image>(decode_image(jpeg(40, 30, {}), {}));
  const std::vector<uint8_t> before = shared->pixels;
  WarpedImage image(shared);
  image.flip_top_bottom();
  for (uint8_t& v : image.upright_pixels().pixels) v = 0;
  EXPECT_EQ(shared->pixels, before);
}

}  // namespace
}  // namespace graft
