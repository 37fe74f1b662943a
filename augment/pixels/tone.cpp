#include "augment/pixels/tone.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/core/isa.h"

namespace graft {
namespace {

/// Pillow's ImagingBlend: cut off, not rounded.
int32_t blended(int32_t degenerate, int32_t value, float factor) {
  const float v = static_cast<float>(degenerate) + factor * static_cast<float>(value - degenerate);
  return static_cast<int32_t>(std::min(std::max(v, 0.0f), 255.0f));
}

void blend_with(Image& image, int32_t degenerate, float factor) {
  cpu::on_best_isa([pixels = image.pixels.data(), bytes = image.pixels.size(), degenerate, factor] {
    for (size_t i = 0; i < bytes; ++i) pixels[i] = static_cast<uint8_t>(blended(degenerate, pixels[i], factor));
  });
}

/// Pixels with their channels apart, as vector units take them.
constexpr size_t kBlock = 128;
struct Block {
  int32_t r[kBlock], g[kBlock], b[kBlock];
  size_t count;  // what lies beyond is not written back
};

uint32_t grey_level(const Block& block, size_t i) {  // as luma()
  return static_cast<uint32_t>((19595 * block.r[i] + 38470 * block.g[i] + 7471 * block.b[i] + 0x8000) >> 16);
}

template <typename Use>
void for_each_block(const Image& image, const Use& use) {
  Block block{};
  for (size_t at = 0; at < image.pixels.size(); at += 3 * kBlock) {
    const uint8_t* p = image.pixels.data() + at;
    block.count = std::min(kBlock, (image.pixels.size() - at) / 3);
    for (size_t i = 0; i < block.count; ++i, p += 3) {
      block.r[i] = p[0];
      block.g[i] = p[1];
      block.b[i] = p[2];
    }
    use(block);
  }
}

template <typename Change>
void change_blocks(Image& image, const Change& change) {
  uint8_t* p = image.pixels.data();
  for_each_block(image, [&](Block& block) {
    change(block);
    for (size_t i = 0; i < block.count; ++i, p += 3) {
      p[0] = static_cast<uint8_t>(block.r[i]);
      p[1] = static_cast<uint8_t>(block.g[i]);
      p[2] = static_cast<uint8_t>(block.b[i]);
    }
  });
}

}  // namespace

void brighten(Image& image, float factor) { blend_with(image, 0, factor); }

void scale_contrast(Image& image, float factor) {
  const uint64_t sum = cpu::on_best_isa([&] {
    uint64_t all = 0;
    for_each_block(image, [&](Block& block) {
      uint32_t part = 0;
      for (size_t i = 0; i < kBlock; ++i) part += i < block.count ? grey_level(block, i) : 0;
      all += part;
    });
    return all;
  });
  const double pixels = static_cast<double>(std::max<size_t>(1, image.pixels.size() / 3));
  blend_with(image, static_cast<int>(static_cast<double>(sum) / pixels + 0.5), factor);
}

void saturate(Image& image, float factor) {
  cpu::on_best_isa([&] {
    change_blocks(image, [&](Block& block) {
      for (size_t i = 0; i < kBlock; ++i) {
        const auto grey = static_cast<int32_t>(grey_level(block, i));
        block.r[i] = blended(grey, block.r[i], factor);
        block.g[i] = blended(grey, block.g[i], factor);
        block.b[i] = blended(grey, block.b[i], factor);
      }
    });
  });
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
      out[i] = static_cast<uint8_t>(blended(smooth, middle[i], factor));
    }
  }
}

void turn_hue(Image& image, float turns) {
  const float shift = 6 * (turns - std::floor(turns));
  // From hue, saturation and value as Alvy Ray Smith 1978 has them to a channel, in closed form; k in 0…17.
  const auto channel = [](float value, float chroma, float k) {
    k -= k >= 12 ? 12.0f : k >= 6 ? 6.0f : 0.0f;
    return static_cast<int32_t>(value - chroma * std::clamp(std::min(k, 4 - k), 0.0f, 1.0f) + 0.5f);
  };
  cpu::on_best_isa([&] {
    change_blocks(image, [&](Block& block) {
      for (size_t i = 0; i < kBlock; ++i) {
        const auto r = static_cast<float>(block.r[i]), g = static_cast<float>(block.g[i]),
                   b = static_cast<float>(block.b[i]);
        const float value = std::max(std::max(r, g), b), chroma = value - std::min(std::min(r, g), b);
        const float scale = 1 / std::max(chroma, 1.0f);  // a chroma is 0 or at least 1
        const float hue = value == r ? (g - b) * scale : value == g ? 2 + (b - r) * scale : 4 + (r - g) * scale;
        block.r[i] = channel(value, chroma, 5 + hue + shift);
        block.g[i] = channel(value, chroma, 3 + hue + shift);
        block.b[i] = channel(value, chroma, 1 + hue + shift);
      }
    });
  });
}

void posterize(Image& image, int bits) {
  const auto mask = static_cast<uint8_t>(~((1 << (8 - bits)) - 1));
  for (uint8_t& v : image.pixels) v &= mask;
}

void solarize(Image& image, int threshold) {
  if (threshold > 255) return;
  const auto first = static_cast<uint8_t>(threshold);
  for (uint8_t& v : image.pixels) v = v >= first ? static_cast<uint8_t>(255 - v) : v;
}

void spread_contrast(Image& image) {
  constexpr size_t kLanes = 48;  // whole pixels and whole vectors
  std::array<uint8_t, kLanes> least, most{};
  least.fill(255);
  const uint8_t* values = image.pixels.data();
  const size_t count = image.pixels.size();
  size_t done = 0;
  for (; done + kLanes <= count; done += kLanes)
    for (size_t i = 0; i < kLanes; ++i) {
      const uint8_t v = values[done + i];
      least[i] = v < least[i] ? v : least[i];
      most[i] = v > most[i] ? v : most[i];
    }
  for (size_t i = 0; done + i < count; ++i) {
    least[i] = std::min(least[i], values[done + i]);
    most[i] = std::max(most[i], values[done + i]);
  }
  std::array<int, 3> low{255, 255, 255}, high{0, 0, 0};
  for (size_t i = 0; i < kLanes; ++i) {
    low[i % 3] = std::min<int>(low[i % 3], least[i]);
    high[i % 3] = std::max<int>(high[i % 3], most[i]);
  }
  std::array<double, 3> scale{1, 1, 1}, offset{};
  for (size_t c = 0; c < 3; ++c) {
    if (high[c] <= low[c]) continue;
    scale[c] = 255.0 / static_cast<double>(high[c] - low[c]);
    offset[c] = -static_cast<double>(low[c]) * scale[c];
  }
  look_up(image, [&](size_t c, int v) {
    return static_cast<uint8_t>(std::clamp(static_cast<int>(v * scale[c] + offset[c]), 0, 255));
  });
}

void equalize(Image& image) {
  std::array<std::array<uint32_t, 256>, 3> counts{};
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) ++counts[c][image.pixels[i + c]];
  std::array<std::array<uint8_t, 256>, 3> table{};
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
  cpu::on_best_isa([&] {
    change_blocks(image, [&](Block& block) {
      for (size_t i = 0; i < kBlock; ++i)
        block.r[i] = block.g[i] = block.b[i] = static_cast<int32_t>(grey_level(block, i));
    });
  });
}

}  // namespace graft
