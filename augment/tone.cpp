#include "augment/tone.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace graft {
namespace {

/// Pillow's ImagingBlend: cut off, not rounded.
uint8_t blended(int degenerate, int value, float factor) {
  const float v = static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return static_cast<uint8_t>(std::clamp(v, 0.0f, 255.0f));
}

std::array<std::array<uint32_t, 256>, 3> histograms(const Image& image) {
  std::array<std::array<uint32_t, 256>, 3> counts{};
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) ++counts[c][image.pixels[i + c]];
  return counts;
}

}  // namespace

void brighten(Image& image, float factor) {
  look_up(image, [&](size_t, int v) { return blended(0, v, factor); });
}

void scale_contrast(Image& image, float factor) {
  uint64_t sum = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) sum += luma(image.pixels.data() + i);
  const double pixels = static_cast<double>(std::max<size_t>(1, image.pixels.size() / 3));
  const int mean = static_cast<int>(static_cast<double>(sum) / pixels + 0.5);
  look_up(image, [&](size_t, int v) { return blended(mean, v, factor); });
}

void saturate(Image& image, float factor) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* p = image.pixels.data() + i;
    const int grey = luma(p);
    for (size_t c = 0; c < 3; ++c) p[c] = blended(grey, p[c], factor);
  }
}

void sharpen(Image& image, float factor) {
  if (image.width < 3 || image.height < 3) return;
  const Image before = image;
  const int64_t row_bytes = 3 * image.width;
  std::vector<int> columns(static_cast<size_t>(row_bytes));
  for (int64_t y = 1; y + 1 < image.height; ++y) {
    const uint8_t *above = before.row(y - 1), *middle = before.row(y), *below = before.row(y + 1);
    for (int64_t i = 0; i < row_bytes; ++i) columns[static_cast<size_t>(i)] = above[i] + middle[i] + below[i];
    const int* sums = columns.data();
    uint8_t* out = image.row(y);
    for (int64_t i = 3; i < row_bytes - 3; ++i) {
      // ImageFilter.SMOOTH: all of 3×3 pixels once and the middle one four times more.
      const int smooth = (2 * (sums[i - 3] + sums[i] + sums[i + 3] + 4 * middle[i]) + 13) / 26;
      out[i] = blended(smooth, middle[i], factor);
    }
  }
}

void turn_hue(Image& image, float turns) {
  const float shift = 6 * (turns - std::floor(turns));
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    uint8_t* p = image.pixels.data() + i;
    const auto r = static_cast<float>(p[0]), g = static_cast<float>(p[1]), b = static_cast<float>(p[2]);
    const float value = std::max({r, g, b}), chroma = value - std::min({r, g, b});
    const float scale = chroma > 0 ? 1 / chroma : 0;
    const float hue = value == r ? (g - b) * scale : value == g ? 2 + (b - r) * scale : 4 + (r - g) * scale;  // -1…5
    const float offsets[3] = {5, 3, 1};  // from hue, saturation and value as Alvy Ray Smith 1978 has them, in closed form
    for (size_t c = 0; c < 3; ++c) {
      float k = offsets[c] + hue + shift;  // 0…17
      k -= k >= 12 ? 12.0f : k >= 6 ? 6.0f : 0.0f;
      p[c] = static_cast<uint8_t>(value - chroma * std::clamp(std::min(k, 4 - k), 0.0f, 1.0f) + 0.5f);
    }
  }
}

void posterize(Image& image, int bits) {
  const int mask = ~((1 << (8 - bits)) - 1) & 0xff;
  look_up(image, [&](size_t, int v) { return static_cast<uint8_t>(v & mask); });
}

void solarize(Image& image, int threshold) {
  look_up(image, [&](size_t, int v) { return static_cast<uint8_t>(v < threshold ? v : 255 - v); });
}

void spread_contrast(Image& image) {
  const auto counts = histograms(image);
  std::array<double, 3> scale{1, 1, 1}, offset{};
  for (size_t c = 0; c < 3; ++c) {
    size_t low = 0, high = 255;
    while (low < 255 && counts[c][low] == 0) ++low;
    while (high > low && counts[c][high] == 0) --high;
    if (high == low) continue;
    scale[c] = 255.0 / static_cast<double>(high - low);
    offset[c] = -static_cast<double>(low) * scale[c];
  }
  look_up(image, [&](size_t c, int v) {
    return static_cast<uint8_t>(std::clamp(static_cast<int>(v * scale[c] + offset[c]), 0, 255));
  });
}

void equalize(Image& image) {
  std::array<std::array<uint8_t, 256>, 3> table{};
  const auto counts = histograms(image);
  for (size_t c = 0; c < 3; ++c) {
    const auto& count = counts[c];
    uint32_t last = 0, all = 0;
    for (const uint32_t n : count) {
      all += n;
      if (n > 0) last = n;
    }
    const uint32_t step = (all - last) / 255;
    uint32_t below = step / 2;
    for (size_t v = 0; v < 256; ++v) {
      table[c][v] = static_cast<uint8_t>(step == 0 ? v : std::min(255u, below / std::max(step, 1u)));
      below += count[v];
    }
  }
  look_up(image, [&](size_t channel, int v) { return table[channel][static_cast<size_t>(v)]; });
}

void make_grey(Image& image) {
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    const uint8_t grey = luma(image.pixels.data() + i);
    std::fill_n(image.pixels.data() + i, 3, grey);
  }
}

}  // namespace graft
