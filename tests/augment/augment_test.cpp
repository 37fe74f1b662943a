#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "augment/augmentation.h"
#include "augment/colour_axes.h"
#include "augment/decode.h"
#include "augment/encode.h"
#include "augment/loader.h"
#include "augment/pixels/resize.h"
#include "graft/dataset.h"
#include "runtime/core/error.h"

namespace graft {
namespace {

namespace fs = std::filesystem;

Image gradient(int64_t w, int64_t h) {
  Image image(w, h);
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x)
      for (int64_t c = 0; c < 3; ++c) image.row(y)[3 * x + c] = static_cast<uint8_t>((x * 7 + y * 13 + c * 50) & 0xff);
  return image;
}

Image applied(const TransformPtr& transform, const Image& image, Random& random) {
  WarpedImage warped(image);
  transform->apply(warped, random);
  return warped.upright_pixels();
}

class Folder {
 public:
  explicit Folder(const std::string& name) : path(fs::temp_directory_path() / ("graft_augment_" + name)) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

TEST(Resize, HalvesByTheTriangleFilter) {
  // Output 0 sees pixels at distances 0.5, 0.5, 1.5 of a filter 2 wide: weights 3/7, 3/7, 1/7 of 0, 100, 200.
  Image row(4, 1);
  for (int64_t x = 0; x < 4; ++x)
    for (int64_t c = 0; c < 3; ++c) row.row(0)[3 * x + c] = static_cast<uint8_t>(100 * x > 255 ? 255 : 100 * x);
  const Image half = resize(row, {0, 0, 4, 1}, 2, 1);
  EXPECT_EQ(half.row(0)[0], 71);  // (0·3 + 100·3 + 200·1) / 7
}

TEST(Resize, EnlargesAsOpenCvsPlainBilinearInside) {
  const Image small = gradient(8, 6);
  const Image large = resize(small, {0, 0, 8, 6}, 16, 12);
  cv::Mat source(6, 8, CV_8UC3, const_cast<uint8_t*>(small.pixels.data())), expected;
  cv::resize(source, expected, {16, 12}, 0, 0, cv::INTER_LINEAR);
  for (int64_t y = 1; y < 11; ++y)
    for (int64_t i = 3; i < 45; ++i) EXPECT_NEAR(large.row(y)[i], expected.ptr<uint8_t>(static_cast<int>(y))[i], 1);
}

TEST(Resize, KeepsTheRatioOfTheSides) {
  const Size scaled = fitting_size(500, 375, 256, 224, 224);
  EXPECT_EQ(scaled.height, 256);
  EXPECT_EQ(scaled.width, 341);  // torchvision truncates 341.33
  const Size grown = fitting_size(50, 40, 40, 64, 64);
  EXPECT_EQ(grown.height, 64);
  EXPECT_EQ(grown.width, 80);
}

TEST(Transforms, FlipMirrorsHalfOfTheTime) {
  const Image image = gradient(5, 3);
  const TransformPtr flip = make_transform({"flip"}, {});
  int flipped = 0;
  for (uint64_t key = 0; key < 200; ++key) {
    Random random(key);
    const Image result = applied(flip, image, random);
    const bool mirrored = result.row(0)[0] != image.row(0)[0];
    flipped += mirrored;
    for (int64_t x = 0; x < 5; ++x) EXPECT_EQ(result.row(1)[3 * x + 2], image.row(1)[3 * (mirrored ? 4 - x : x) + 2]);
  }
  EXPECT_NEAR(flipped, 100, 30);
}

TEST(Transforms, CenterCropCutsTheMiddle) {
  TransformContext c;
  c.height = c.width = 4;
  c.short_side = 8;
  Random random(1);
  const Image image = gradient(8, 8), cut = applied(make_transform({"center-crop"}, c), image, random);
  EXPECT_EQ(cut.row(0)[0], image.row(2)[6]);
}

TEST(Transforms, CenterCropLeavesAPictureOfTheRightSizeAlone) {
  TransformContext c;
  c.height = c.width = 8;
  c.short_side = 9;
  Random random(1);
  EXPECT_EQ(applied(make_transform({"center-crop"}, c), gradient(8, 8), random).pixels, gradient(8, 8).pixels);
}

TEST(Transforms, EveryOneIsAFunctionOfTheKey) {
  TransformContext c;
  c.height = c.width = 24;
  c.short_side = 27;
  c.colour_axes = [] { return ColourAxes{{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, {0.2f, 0.1f, 0.05f}}; };
  for (const std::string& name : transform_names()) {
    const TransformPtr t = make_transform({name}, c);
    Random a(5), b(5);
    EXPECT_EQ(applied(t, gradient(60, 40), a).pixels, applied(t, gradient(60, 40), b).pixels) << name;
  }
}

TEST(Transforms, CropsAlwaysHaveTheAskedSize) {
  TransformContext c;
  c.height = 24;
  c.width = 32;
  c.short_side = 27;
  for (const char* name : {"crop", "center-crop", "scale-crop", "resized-crop"}) {
    for (uint64_t key = 0; key < 30; ++key) {
      Random random(key);
      const Image image =
          applied(make_transform({name}, c),
                  gradient(10 + static_cast<int64_t>(key) * 3, 90 - static_cast<int64_t>(key) * 2), random);
      EXPECT_EQ(image.height, 24) << name;
      EXPECT_EQ(image.width, 32) << name;
    }
  }
}

TEST(Transforms, PcaLightingAddsOneColourToAllPixels) {
  ColourAxes axes;
  axes.vectors = {{{0.6f, 0, 0}, {0.8f, 0, 0}, {0, 0, 0}}};
  axes.values = {1, 0, 0};
  Image grey(4, 4);
  std::fill(grey.pixels.begin(), grey.pixels.end(), uint8_t{128});
  TransformContext context;
  context.colour_axes = [&] { return axes; };
  Random random(3), same(3);
  const float alpha = 0.1f * same.normal();
  const Image lit = applied(make_transform({"pca-lighting"}, context), grey, random);
  EXPECT_EQ(lit.pixels[0], std::lround(128 + 0.6f * alpha * 255));
  EXPECT_EQ(lit.pixels[1], std::lround(128 + 0.8f * alpha * 255));
  EXPECT_EQ(lit.pixels[2], 128);
  EXPECT_EQ(lit.pixels[45], lit.pixels[0]);
}

TEST(Transforms, BrightnessAloneScalesPixels) {
  Image grey(2, 2);
  std::fill(grey.pixels.begin(), grey.pixels.end(), uint8_t{100});
  Random random(9);
  const Image bright = applied(
      make_transform({"color-jitter", {{"contrast", "0"}, {"saturation", "0"}, {"hue", "0"}}}, {}), grey, random);
  EXPECT_GE(bright.pixels[0], 60);
  EXPECT_LE(bright.pixels[0], 140);
  EXPECT_EQ(bright.pixels[0], bright.pixels[11]);
}

TEST(ColourAxes, MatchTheCovarianceOfTwoColours) {
  const Folder folder("axes");
  // Half red, half black: variance along red alone, n/(n-1)·¼ over 4096 pixels.
  Image image(64, 64);
  for (int64_t y = 0; y < 32; ++y)
    for (int64_t x = 0; x < 64; ++x) image.row(y)[3 * x] = 255;
  const std::string path = (folder.path / "a.png").string();
  write_image(image, path);
  const ColourAxes axes = measure_colour_axes({path});
  EXPECT_NEAR(axes.values[0], 0.25 * 4096 / 4095, 1e-6);
  EXPECT_NEAR(std::fabs(axes.vectors[0][0]), 1, 1e-6);
  EXPECT_NEAR(axes.values[1], 0, 1e-9);
}

TEST(Pipeline, NormalisesInTheNetworksChannelOrder) {
  const Pipeline pipeline(Pipeline::Transforms{}, {1, {104, 117, 123}, {1, 1, 1}, Normalisation::Order::bgr}, 1, 1);
  Image pixel(1, 1);
  pixel.pixels = {10, 20, 30};
  float out[3];
  pipeline.normalise(pixel, out);
  EXPECT_FLOAT_EQ(out[0], 30 - 104);
  EXPECT_FLOAT_EQ(out[1], 20 - 117);
  EXPECT_FLOAT_EQ(out[2], 10 - 123);
}

/// Whoever finishes a picture from its bytes gets what normalise() gives; in every order of channels, whichever way it
/// lies.
TEST(Pipeline, BytesTurnsAndTableAreTheFloats) {
  for (const auto order : {Normalisation::Order::rgb, Normalisation::Order::bgr, Normalisation::Order::grey}) {
    const Pipeline pipeline(Pipeline::Transforms{}, {1.0f / 255, {0.4f, 0.5f, 0.6f}, {0.2f, 0.25f, 0.3f}, order}, 3, 5);
    for (const bool mirrored : {false, true})
      for (const bool upside_down : {false, true}) {
        Image image = gradient(5, 3);
        image.mirrored = mirrored;
        image.upside_down = upside_down;
        const auto channels = pipeline.channels();
        std::vector<float> floats(static_cast<size_t>(15 * channels)), straight(floats.size());
        std::vector<uint8_t> bytes(floats.size());
        pipeline.normalise(image, floats.data());
        pipeline.normalise(upright(image), straight.data());
        EXPECT_EQ(floats, straight);
        pipeline.pack(image, bytes.data());
        for (int64_t y = 0; y < 3; ++y)
          for (int64_t x = 0; x < 5; ++x)
            for (int64_t c = 0; c < channels; ++c) {
              const int64_t from = ((upside_down ? 2 - y : y) * 5 + (mirrored ? 4 - x : x)) * channels + c;
              EXPECT_EQ(pipeline.table()[static_cast<size_t>(c * 256 + bytes[static_cast<size_t>(from)])],
                        floats[static_cast<size_t>((y * 5 + x) * channels + c)]);
            }
      }
  }
}

TEST(Pipeline, TransformsThatLookAtPlacesGetPicturesUpright) {
  TransformContext context;
  context.height = context.width = 4;
  context.short_side = 8;
  const auto flips_and_crops = [&](uint64_t key) {
    std::vector<TransformPtr> transforms;
    transforms.push_back(make_transform({"flip"}, {}));
    transforms.push_back(make_transform({"crop"}, context));
    return Pipeline(std::move(transforms), {}, 4, 4).transform(gradient(8, 8), key);
  };
  int mirrored = 0;
  for (uint64_t key = 0; key < 50; ++key) {
    const Image image = flips_and_crops(key);
    EXPECT_FALSE(image.mirrored);
    mirrored += image.row(0)[0] > image.row(0)[3];
  }
  EXPECT_GT(mirrored, 10);
  EXPECT_LT(mirrored, 40);
}

TEST(Pipeline, AnUnknownTransformListsTheKnown) { EXPECT_THROW(make_recipe("nonsense", {}), Error); }

TEST(Loader, DeliversInOrderWithAnyNumberOfThreadsAndNamesBadFiles) {
  const Folder folder("loader");
  std::vector<LoadRequest> requests;
  for (int i = 0; i < 23; ++i) {
    const std::string path = (folder.path / (std::to_string(i) + ".png")).string();
    if (i == 7)
      std::ofstream(path) << "no picture at all, only text";
    else {
      Image image(4, 4);
      std::fill(image.pixels.begin(), image.pixels.end(), static_cast<uint8_t>(10 * i));
      write_image(image, path);
    }
    requests.push_back({path, 0});
  }
  const Pipeline pipeline(Pipeline::Transforms{}, {1, {0, 0, 0}, {1, 1, 1}, Normalisation::Order::rgb}, 4, 4);
  for (const int threads : {1, 4}) {
    Loader loader(pipeline, requests, 5, threads);
    size_t seen = 0;
    while (const Loader::Batch* batch = loader.next()) {
      for (size_t i = 0; i < batch->count; ++i, ++seen) {
        EXPECT_EQ(batch->errors[i].empty(), seen != 7);
        if (seen != 7) {
          EXPECT_EQ(batch->pixels[i * 48], static_cast<float>(10 * seen));
        }
      }
    }
    EXPECT_EQ(seen, 23u);
  }
}

TEST(Loader, DeliversBytesThatStandForTheFloats) {
  const Folder folder("loader_bytes");
  std::vector<LoadRequest> requests;
  for (int i = 0; i < 7; ++i) {
    const std::string path = (folder.path / (std::to_string(i) + ".png")).string();
    if (i == 3)
      std::ofstream(path) << "no picture at all, only text";
    else
      write_image(gradient(4 + i, 4), path);
    requests.push_back({path, static_cast<uint64_t>(i)});
  }
  TransformContext context;
  context.height = context.width = 4;
  context.short_side = 4;
  const Pipeline pipeline(make_recipe("center-crop,flip,vflip", context),
                          {1.0f / 255, {0.4f, 0.5f, 0.6f}, {0.2f, 0.25f, 0.3f}, Normalisation::Order::rgb}, 4, 4);
  Loader floats(pipeline, requests, 4, 2), bytes(pipeline, requests, 4, 2, PixelForm::bytes);
  int turned = 0;
  while (const Loader::Batch* expected = floats.next()) {
    const Loader::Batch* const found = bytes.next();
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->errors, expected->errors);
    for (size_t slot = 0; slot < 4; ++slot) {
      const int turn = found->turns[slot];
      turned += turn != 0;
      for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 4; ++x)
          for (int c = 0; c < 3; ++c) {
            const int top = turn & PictureBytes::kUpsideDown ? 3 - y : y,
                      left = turn & PictureBytes::kMirrored ? 3 - x : x;
            const uint8_t byte = found->bytes[slot * 48 + static_cast<size_t>((top * 4 + left) * 3 + c)];
            const float value =
                turn & PictureBytes::kBlank ? 0.0f : pipeline.table()[static_cast<size_t>(c * 256) + byte];
            EXPECT_EQ(value, expected->pixels[slot * 48 + static_cast<size_t>((y * 4 + x) * 3 + c)]);
          }
    }
  }
  EXPECT_EQ(bytes.next(), nullptr);
  EXPECT_GT(turned, 2);
}

TEST(Loader, KeptPicturesGiveTheSamePixels) {
  const Folder folder("loader_kept");
  std::vector<LoadRequest> requests;
  for (int i = 0; i < 12; ++i) {
    const std::string path = (folder.path / (std::to_string(i) + (i % 2 ? ".png" : ".jpg"))).string();
    write_image(gradient(60 + i, 50), path);
    requests.push_back({path, static_cast<uint64_t>(i)});
  }
  TransformContext context;
  context.height = context.width = 8;
  context.short_side = 8;
  const Pipeline one(make_recipe("resized-crop,flip,rotate", context), {}, 8, 8);
  std::vector<Pipeline::Transforms> two;
  two.push_back(make_recipe("center-crop", context));
  two.push_back(make_recipe("center-crop,vflip:probability=1", context));
  const Pipeline both(std::move(two), {}, 8, 8);
  const auto pixels = [&](const Pipeline& pipeline, const std::shared_ptr<DecodedPictures>& kept) {
    std::vector<float> all;
    Loader loader(pipeline, requests, 5, 2, PixelForm::floats, kept);
    while (const Loader::Batch* batch = loader.next())
      all.insert(all.end(), batch->pixels.begin(), batch->pixels.end());
    return all;
  };
  for (const Pipeline* pipeline : {&one, &both})
    for (const uint64_t room : {uint64_t{1} << 20, uint64_t{40000}, uint64_t{1}}) {
      const auto kept = std::make_shared<DecodedPictures>(room);
      const std::vector<float> expected = pixels(*pipeline, nullptr);
      EXPECT_EQ(pixels(*pipeline, kept), expected);
      EXPECT_EQ(pixels(*pipeline, kept), expected);
      EXPECT_EQ(kept->use().full, room < (1 << 20));
      EXPECT_EQ(kept->use().pictures == 12, room == (1 << 20));
    }
}

TEST(Loader, CanBeLeftBeforeTheEnd) {
  const Pipeline pipeline(Pipeline::Transforms{}, {}, 4, 4);
  Loader loader(pipeline, std::vector<LoadRequest>(100, {"none.png", 0}), 4, 3);
  EXPECT_NE(loader.next(), nullptr);
}

TEST(Dataset, SplitsTheSameWayForTheSameSeed) {
  const Folder folder("split");
  for (int i = 0; i < 10; ++i)
    for (const char* c : {"a", "b"}) {
      fs::create_directories(folder.path / c);
      std::ofstream(folder.path / c / (std::to_string(i) + ".png")) << "x";
    }
  const Dataset one = read_dataset(folder.path.string(), Task::classes, {0.2, 1}),
                two = read_dataset(folder.path.string(), Task::classes, {0.2, 1});
  ASSERT_EQ(one.validation.size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(one.validation[i].path, two.validation[i].path);
}

TEST(Dataset, SaysWhatIsWrong) {
  const Folder folder("wrong");
  EXPECT_THROW(read_dataset((folder.path / "missing").string(), Task::classes, {0.2, 1}), Error);
  EXPECT_THROW(read_dataset(folder.path.string(), Task::classes, {0.2, 1}), Error);  // empty
  fs::create_directories(folder.path / "only");
  std::ofstream(folder.path / "only/1.png") << "x";
  EXPECT_THROW(read_dataset(folder.path.string(), Task::classes, {0.2, 1}), Error);  // one class
  fs::create_directories(folder.path / "hollow");
  EXPECT_THROW(read_dataset(folder.path.string(), Task::classes, {0.2, 1}), Error);  // a class without pictures
}

TEST(Decode, RefusesABombByItsHeader) {
  const Folder folder("bomb");
  const std::string path = (folder.path / "bomb.png").string();
  const unsigned char header[] = {0x89, 'P', 'N', 'G',  0x0d, 0x0a, 0x1a, 0x0a, 0,    0, 0, 13, 'I', 'H', 'D',
                                  'R',  0,   0,   0xea, 0x60, 0,    0,    0xea, 0x60, 8, 2, 0,  0,   0};
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(header), sizeof header);
  try {
    decode_image(path);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("60000×60000"), std::string::npos);
  }
}

}  // namespace
}  // namespace graft
