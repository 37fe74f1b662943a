#include "augment/pixels/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <optional>

#include "augment/pixels/resample.h"

namespace graft {
namespace {

/// A filter of a resampling: its weight at a distance in pixels of the smaller picture, 0 from `support` on. Pillow's.
struct Filter {
  double support;
  double (*at)(double);
};

double triangle(double x) { return std::max(0.0, 1 - std::fabs(x)); }

double cubic(double x) {  // Keys 1981, with the a of Pillow
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos(double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

double box(double x) { return -0.5 < x && x <= 0.5 ? 1 : 0; }

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::bicubic:
      return {2, cubic};
    case Interpolation::lanczos:
      return {3, lanczos};
    default:
      return {1, triangle};
  }
}

/// Of the output pixels `begin` to `begin` + `count` - 1 of `out` that the interval `from`…`to` becomes.
ResampleWeights weights_of(const Filter& filter, int64_t in, double from, double to, int64_t out, int64_t begin,
                           int64_t count) {
  const double scale = (to - from) / static_cast<double>(out), stretch = std::max(scale, 1.0),
               support = filter.support * stretch;
  ResampleWeights w;
  w.taps = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  w.first.resize(static_cast<size_t>(count));
  w.count.resize(static_cast<size_t>(count));
  w.values.assign(static_cast<size_t>(count * w.taps), 0);
  std::vector<double> real(static_cast<size_t>(w.taps));
  for (int64_t o = 0; o < count; ++o) {
    const double centre = from + (static_cast<double>(begin + o) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t last = std::min<int64_t>(in, static_cast<int64_t>(centre + support + 0.5));
    double sum = 0;
    for (int64_t i = first; i < last; ++i) {
      const double weight = filter.at((static_cast<double>(i) - centre + 0.5) / stretch);
      real[static_cast<size_t>(i - first)] = weight;
      sum += weight;
    }
    w.first[static_cast<size_t>(o)] = first;
    w.count[static_cast<size_t>(o)] = last - first;
    for (int64_t i = 0; i < last - first; ++i) {
      const double v = sum != 0 ? real[static_cast<size_t>(i)] / sum : 0;
      w.values[static_cast<size_t>(o * w.taps + i)] =
          static_cast<int32_t>(std::copysign(0.5, v) + v * (1 << ResampleWeights::kPrecisionBits));
    }
  }
  return w;
}

/// The picture that both weights make: the rows that `down` reads, across, then those down. A pass that changes nothing
/// is left out, as in Pillow.
Image resampled(const Image& image, const ResampleWeights* across, int64_t left, int64_t width,
                const ResampleWeights* down, int64_t top, int64_t height) {
  const int64_t first_row = down ? down->first.front() : top,
                last_row = down ? down->first.back() + down->count.back() : top + height;
  Image narrow(width, last_row - first_row);
  if (across) {
    const RowResampler resample(*across);
    // Reading beyond a row is reading the next one, which the last does not have.
    std::vector<uint8_t> last(static_cast<size_t>(3 * image.width + resample.slack()));
    for (int64_t y = first_row; y < last_row; ++y) {
      const uint8_t* row = image.row(y);
      if (image.width * (image.height - 1 - y) * 3 < resample.slack())
        row = static_cast<uint8_t*>(std::memcpy(last.data(), row, static_cast<size_t>(3 * image.width)));
      resample(row, narrow.row(y - first_row));
    }
  } else {
    for (int64_t y = first_row; y < last_row; ++y)
      std::memcpy(narrow.row(y - first_row), image.row(y) + 3 * left, static_cast<size_t>(width * 3));
  }
  if (!down) return narrow;
  Image result(width, height);
  for (int64_t o = 0; o < height; ++o) {
    const auto i = static_cast<size_t>(o);
    resample_column(narrow.row(down->first[i] - first_row), 3 * width, down->values.data() + o * down->taps,
                    down->count[i], 3 * width, result.row(o));
  }
  return result;
}

/// Places further on are multiplied: adding would take long, and no picture that is looked at is so long.
constexpr int64_t kAddedUp = 1 << 22;

/// For each output pixel of the window, the input pixel that it falls into. Pillow adds up the places, which decides
/// where one falls between two.
std::vector<int64_t> nearest_places(double from, double to, int64_t in, int64_t out, int64_t begin, int64_t count) {
  const double step = (to - from) / static_cast<double>(out);
  std::vector<int64_t> places;
  const int64_t first = begin > kAddedUp ? begin : 0;
  double at = from + step * (static_cast<double>(first) + 0.5);
  for (int64_t o = first; o < begin + count; ++o, at += step)
    if (o >= begin) places.push_back(std::clamp<int64_t>(static_cast<int64_t>(at), 0, in - 1));
  return places;
}

/// As Pillow's NEAREST: nothing is filtered.
Image nearest(const Image& image, const Window& at, const Size& all, Box box, int64_t width, int64_t height,
              const Window& window) {
  const std::vector<int64_t> across = nearest_places(box.left, box.right, all.width, width, window.left, window.width),
                             down = nearest_places(box.top, box.bottom, all.height, height, window.top, window.height);
  Image result(window.width, window.height);
  for (int64_t y = 0; y < window.height; ++y) {
    const uint8_t* from = image.row(down[static_cast<size_t>(y)] - at.top);
    uint8_t* to = result.row(y);
    for (const int64_t x : across) {
      std::memcpy(to, from + 3 * (x - at.left), 3);
      to += 3;
    }
  }
  return result;
}

/// Of a picture of the size `all`, `image` holds what stands at `at`.
Image resize_part(const Image& image, const Window& at, const Size& all, Box box, int64_t width, int64_t height,
                  const Window& window, Interpolation interpolation) {
  if (interpolation == Interpolation::nearest) return nearest(image, at, all, box, width, height, window);
  const Filter filter = filter_of(interpolation);
  std::optional<ResampleWeights> across, down;
  if (width != all.width || box.left != 0 || box.right != static_cast<double>(width)) {
    across = weights_of(filter, all.width, box.left, box.right, width, window.left, window.width);
    for (int64_t& first : across->first) first -= at.left;
  }
  if (height != all.height || box.top != 0 || box.bottom != static_cast<double>(height)) {
    down = weights_of(filter, all.height, box.top, box.bottom, height, window.top, window.height);
    for (int64_t& first : down->first) first -= at.top;
  }
  return resampled(image, across ? &*across : nullptr, window.left - at.left, window.width, down ? &*down : nullptr,
                   window.top - at.top, window.height);
}

}  // namespace

Image averaged(const Image& image, int64_t width, int64_t height) {
  const Filter filter{0.5, box};
  const ResampleWeights across = weights_of(filter, image.width, 0, static_cast<double>(image.width), width, 0, width),
                        down =
                            weights_of(filter, image.height, 0, static_cast<double>(image.height), height, 0, height);
  return resampled(image, &across, 0, width, &down, 0, height);
}

Image resize_window(const Image& image, Box box, int64_t width, int64_t height, const Window& window,
                    Interpolation interpolation) {
  return resize_part(image, {0, 0, image.width, image.height}, {image.width, image.height}, box, width, height, window,
                     interpolation);
}

Image resize_window(const ImagePart& part, Box box, int64_t width, int64_t height, const Window& window,
                    Interpolation interpolation) {
  return resize_part(part.pixels, part.window, {part.width, part.height}, box, width, height, window, interpolation);
}

Box pixels_for_window(Box box, int64_t width, int64_t height, const Window& window, Interpolation interpolation) {
  const double support = filter_of(interpolation).support;
  const auto interval = [&](double from, double to, int64_t out, int64_t begin, int64_t count) {
    const double scale = (to - from) / static_cast<double>(out), beside = support * std::max(scale, 1.0) + 1;
    return std::pair{from + static_cast<double>(begin) * scale - beside,
                     from + static_cast<double>(begin + count) * scale + beside};
  };
  const auto [left, right] = interval(box.left, box.right, width, window.left, window.width);
  const auto [top, bottom] = interval(box.top, box.bottom, height, window.top, window.height);
  return {left, top, right, bottom};
}

Image resize(const Image& image, Box box, int64_t width, int64_t height, Interpolation interpolation) {
  return resize_window(image, box, width, height, {0, 0, width, height}, interpolation);
}

Size fitting_size(int64_t own_width, int64_t own_height, int64_t short_side, int64_t width, int64_t height) {
  const int64_t shorter = std::min(own_width, own_height), side = std::max<int64_t>(short_side, 1);
  const int64_t w = std::max<int64_t>(1, side * own_width / shorter),
                h = std::max<int64_t>(1, side * own_height / shorter);
  const auto in_proportion = [](int64_t a, int64_t b, int64_t c) { return (2 * a * b + c) / (2 * c); };
  return {std::max({w, width, in_proportion(w, height, h)}), std::max({h, height, in_proportion(h, width, w)})};
}

}  // namespace graft
