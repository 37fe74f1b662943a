// Carries out single transforms on a picture: the tool behind test_transforms.py and scripts/transform-table.
// Usage: graft_transforms PICTURE.png < COMMANDS, a command a line:
//   OUT.png warp M11 … M33 [M11 … M33 …]       maps back to the source, one after the other
//   OUT.png lens K1 K2                         about the centre, r in half diagonals
//   OUT.png tone NAME FACTOR                   brightness contrast saturation sharpness hue
//   OUT.png transform TEXT KEY                 as --augment takes it, mean colour 10,200,90, crop 96
//   - time TEXT SECONDS                        prints pictures a second of one thread
#include <malloc.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "augment/augmentation.h"
#include "augment/decode.h"
#include "augment/encode.h"
#include "augment/pixels/tone.h"
#include "runtime/core/error.h"

using namespace graft;

namespace {

const Sampling kSampling{Interpolation::bilinear, {10, 200, 90}};

Image with_tone(Image image, const std::string& name, float factor) {
  if (name == "brightness")
    brighten(image, factor);
  else if (name == "contrast")
    scale_contrast(image, factor);
  else if (name == "saturation")
    saturate(image, factor);
  else if (name == "sharpness")
    sharpen(image, factor);
  else if (name == "hue")
    turn_hue(image, factor);
  else
    throw Error("no tone is called " + name);
  return image;
}

Image transformed(const Image& image, const std::vector<TransformPtr>& transforms, uint64_t key) {
  WarpedImage warped(image);
  Random random(key);
  for (const TransformPtr& t : transforms) t->apply(warped, random);
  return std::move(warped.pixels());
}

std::vector<TransformPtr> transforms_of(const std::string& text, int64_t crop) {
  TransformContext context;
  context.height = context.width = crop;
  context.short_side = crop * 8 / 7;
  context.sampling = kSampling;
  context.colour_axes = [] { return ColourAxes{{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, {0.2f, 0.1f, 0.05f}}; };
  return make_transforms(read_augmentation(text), context);
}

double pictures_per_second(const Image& image, const std::string& text, double seconds) {
  const std::vector<TransformPtr> transforms = transforms_of(text, 224);
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  uint64_t count = 0;
  double taken = 0;
  do {
    for (int i = 0; i < 16; ++i) transformed(image, transforms, count++);
    taken = std::chrono::duration<double>(Clock::now() - begin).count();
  } while (taken < seconds);
  return static_cast<double>(count) / taken;
}

void carry_out(const Image& image, const std::string& line) {
  std::istringstream words(line);
  std::string output, kind, text;
  words >> output >> kind;
  WarpedImage warped(image);
  if (kind == "warp") {
    for (Matrix3 back; words >> back.m[0];) {
      for (size_t i = 1; i < 9; ++i) words >> back.m[i];
      warped.warp(back, kSampling);
    }
    write_image(warped.pixels(), output);
  } else if (kind == "lens") {
    double k1 = 0, k2 = 0;
    words >> k1 >> k2;
    const Place c = warped.centre();
    warped.warp(RadialDistortion{c, std::hypot(c.x, c.y), k1, k2}, kSampling);
    write_image(warped.pixels(), output);
  } else if (kind == "tone") {
    float factor = 1;
    words >> text >> factor;
    write_image(with_tone(image, text, factor), output);
  } else if (kind == "transform") {
    uint64_t key = 0;
    words >> text >> key;
    write_image(upright(transformed(image, transforms_of(text, 96), key)), output);
  } else if (kind == "time") {
    double seconds = 1;
    words >> text >> seconds;
    std::printf("%s %.1f\n", text.c_str(), pictures_per_second(image, text, seconds));
  } else {
    throw Error("no command is called " + kind);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // as the program has it
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  try {
    const Image image = decode_image(argv[1]);
    for (std::string line; std::getline(std::cin, line);) carry_out(image, line);
  } catch (const Error& e) {
    std::fprintf(stderr, "graft_transforms: error: %s\n", e.what());
    return 1;
  }
  return 0;
}
