#include "augment/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace graft {
namespace {

constexpr int kPrecisionBits =
    32 - 8 - 2;  // as Pillow's Resample.c: 8-bit pixels, weights that sum to 1, a sign and a carry

/// For each output pixel: the first input pixel, and its weights in fixed point.
struct Weights {
  int64_t taps = 0;
  std::vector<int64_t> first, count;
  std::vector<int32_t> values;  // output × taps
};

Weights triangle_weights(int64_t in, double from, double to, int64_t out) {
  const double scale = (to - from) / static_cast<double>(out), filter = std::max(scale, 1.0), support = filter;
  Weights w;
  w.taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  w.first.resize(static_cast<size_t>(out));
  w.count.resize(static_cast<size_t>(out));
  w.values.assign(static_cast<size_t>(out * w.taps), 0);
  std::vector<double> real(static_cast<size_t>(w.taps));
  for (int64_t o = 0; o < out; ++o) {
    const double centre = from + (static_cast<double>(o) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t last = std::min<int64_t>(in, static_cast<int64_t>(centre + support + 0.5));
    double sum = 0;
    for (int64_t i = first; i < last; ++i) {
      const double distance = std::fabs((static_cast<double>(i) - centre + 0.5) / filter);
      real[static_cast<size_t>(i - first)] = distance < 1 ? 1 - distance : 0;
      sum += real[static_cast<size_t>(i - first)];
    }
    w.first[static_cast<size_t>(o)] = first;
    w.count[static_cast<size_t>(o)] = last - first;
    for (int64_t i = 0; i < last - first; ++i) {
      const double v = sum != 0 ? real[static_cast<size_t>(i)] / sum : 0;
      w.values[static_cast<size_t>(o * w.taps + i)] = static_cast<int32_t>(0.5 + v * (1 << kPrecisionBits));
    }
  }
  return w;
}

uint8_t clip8(int32_t v) { return static_cast<uint8_t>(std::clamp(v >> kPrecisionBits, 0, 255)); }

void horizontal_row(const uint8_t* in, const Weights& w, int64_t out_width, uint8_t* out) {
  for (int64_t o = 0; o < out_width; ++o) {
    const uint8_t* p = in + w.first[static_cast<size_t>(o)] * 3;
    const int32_t* k = w.values.data() + o * w.taps;
    int32_t r = 1 << (kPrecisionBits - 1), g = r, b = r;
    for (int64_t i = 0; i < w.count[static_cast<size_t>(o)]; ++i) {
      r += p[3 * i] * k[i];
      g += p[3 * i + 1] * k[i];
      b += p[3 * i + 2] * k[i];
    }
    out[3 * o] = clip8(r);
    out[3 * o + 1] = clip8(g);
    out[3 * o + 2] = clip8(b);
  }
}

}  // namespace

Image resize(const Image& image, Box box, int64_t width, int64_t height) {
  const bool whole = box.left == 0 && box.top == 0 && box.right == static_cast<double>(image.width) &&
                     box.bottom == static_cast<double>(image.height);
  if (whole && width == image.width && height == image.height) return image;
  const Weights across = triangle_weights(image.width, box.left, box.right, width),
                down = triangle_weights(image.height, box.top, box.bottom, height);
  // Only the rows that the vertical pass will read; a pass that changes nothing is left out, as in Pillow.
  const int64_t first_row = down.first.front(), last_row = down.first.back() + down.count.back();
  const bool needs_across = width != image.width || box.left != 0 || box.right != static_cast<double>(width);
  const bool needs_down = height != image.height || box.top != 0 || box.bottom != static_cast<double>(height);
  Image narrow(width, last_row - first_row);
  for (int64_t y = first_row; y < last_row; ++y) {
    if (needs_across)
      horizontal_row(image.row(y), across, width, narrow.row(y - first_row));
    else
      std::memcpy(narrow.row(y - first_row), image.row(y), static_cast<size_t>(width * 3));
  }
  if (!needs_down) return narrow;
  Image result(width, height);
  std::vector<int32_t> sum(static_cast<size_t>(width * 3));
  for (int64_t o = 0; o < height; ++o) {
    std::fill(sum.begin(), sum.end(), 1 << (kPrecisionBits - 1));
    const int32_t* k = down.values.data() + o * down.taps;
    for (int64_t i = 0; i < down.count[static_cast<size_t>(o)]; ++i) {
      const uint8_t* p = narrow.row(down.first[static_cast<size_t>(o)] + i - first_row);
      const int32_t weight = k[i];
      for (size_t x = 0; x < sum.size(); ++x) sum[x] += p[x] * weight;
    }
    uint8_t* out = result.row(o);
    for (size_t x = 0; x < sum.size(); ++x) out[x] = clip8(sum[x]);
  }
  return result;
}

Image resize_to_fit(const Image& image, int64_t short_side, int64_t width, int64_t height) {
  const int64_t shorter = std::min(image.width, image.height), side = std::max<int64_t>(short_side, 1);
  const int64_t w = std::max<int64_t>(1, side * image.width / shorter),
                h = std::max<int64_t>(1, side * image.height / shorter);
  const auto in_proportion = [](int64_t a, int64_t b, int64_t c) { return (2 * a * b + c) / (2 * c); };
  const int64_t grown_width = std::max({w, width, in_proportion(w, height, h)}),
                grown_height = std::max({h, height, in_proportion(h, width, w)});
  return resize(image, {0, 0, static_cast<double>(image.width), static_cast<double>(image.height)}, grown_width,
                grown_height);
}

Image crop(const Image& image, int64_t left, int64_t top, int64_t width, int64_t height) {
  Image result(width, height);
  for (int64_t y = 0; y < height; ++y)
    std::memcpy(result.row(y), image.row(top + y) + left * 3, static_cast<size_t>(width * 3));
  return result;
}

}  // namespace graft
