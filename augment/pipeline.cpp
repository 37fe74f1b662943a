#include "augment/pipeline.h"

#include <algorithm>

#include "augment/pixels/tone.h"
#include "runtime/core/error.h"

namespace graft {

namespace {

std::vector<Pipeline::Transforms> alone(Pipeline::Transforms transforms) {
  std::vector<Pipeline::Transforms> views;
  views.push_back(std::move(transforms));
  return views;
}

/// See Transform::least_side.
int64_t least_side(const Pipeline::Transforms& transforms) {
  for (const TransformPtr& t : transforms)
    if (const auto side = t->least_side()) return *side;
  return 0;
}

}  // namespace

Pipeline::Pipeline(Transforms transforms, Normalisation normalisation, int64_t height, int64_t width,
                   DecodeOptions decoding, bool exact)
    : Pipeline(alone(std::move(transforms)), normalisation, height, width, decoding, exact) {}

Pipeline::Pipeline(std::vector<Transforms> views, Normalisation normalisation, int64_t height, int64_t width,
                   DecodeOptions decoding, bool exact)
    : views_(std::move(views)), normalisation_(normalisation), height_(height), width_(width), decoding_(decoding) {
  decoding_.least_side = 0;
  for (const Transforms& view : views_) {
    const int64_t side = exact ? 0 : least_side(view);
    decoding_.least_side = std::max(decoding_.least_side, side);
    if (side > 0) continue;
    decoding_.least_side = 0;
    break;
  }
  for (size_t c = 0; c < 3; ++c)
    for (size_t v = 0; v < 256; ++v)
      table_[c][v] = (static_cast<float>(v) * normalisation_.scale - normalisation_.mean[c]) / normalisation_.std[c];
}

Image Pipeline::transform(WarpedImage warped, uint64_t random_key, size_t view) const {
  Random random(random_key);
  for (const TransformPtr& t : views_[view]) t->apply(warped, random);
  Image image = std::move(warped.pixels());
  if (image.width != width_ || image.height != height_) {
    throw Error("the transforms leave " + std::to_string(image.width) + "×" + std::to_string(image.height) +
                    " where the network takes " + std::to_string(width_) + "×" + std::to_string(height_),
                "add a crop")
        .about("augment");
  }
  return image;
}

void Pipeline::pack(const Image& image, uint8_t* out) const {
  const size_t pixels = image.pixels.size() / 3;
  const uint8_t* p = image.pixels.data();
  if (normalisation_.order == Normalisation::Order::grey) {
    for (size_t i = 0; i < pixels; ++i, p += 3) out[i] = luma(p);
    return;
  }
  if (normalisation_.order == Normalisation::Order::rgb) {
    std::copy_n(p, image.pixels.size(), out);
    return;
  }
  for (size_t i = 0; i < pixels; ++i, p += 3, out += 3) {
    out[0] = p[2];
    out[1] = p[1];
    out[2] = p[0];
  }
}

void Pipeline::normalise(const Image& image, float* out) const {
  const bool grey = normalisation_.order == Normalisation::Order::grey,
             bgr = normalisation_.order == Normalisation::Order::bgr;
  const size_t first = bgr ? 2 : 0, last = bgr ? 0 : 2;
  const int64_t step = image.mirrored ? -3 : 3;
  for (int64_t y = 0; y < image.height; ++y) {
    const uint8_t* p =
        image.row(image.upside_down ? image.height - 1 - y : y) + (image.mirrored ? 3 * (image.width - 1) : 0);
    if (grey) {
      for (int64_t x = 0; x < image.width; ++x, p += step) *out++ = table_[0][luma(p)];
      continue;
    }
    for (int64_t x = 0; x < image.width; ++x, p += step, out += 3) {
      out[0] = table_[0][p[first]];
      out[1] = table_[1][p[1]];
      out[2] = table_[2][p[last]];
    }
  }
}

}  // namespace graft
