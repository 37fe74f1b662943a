#pragma once

#include <array>
#include <cstdint>

#include "augment/pixels/image.h"

namespace graft {

// What changes colours and moves nothing. Each is Pillow's to the bit where it names Pillow.

/// A grey level as Pillow's convert("L"): ITU-R 601 weights in 1/65536.
inline uint8_t luma(const uint8_t* p) {
  return static_cast<uint8_t>((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 0x8000u) >> 16);
}

/// Replaces each value by what `of(channel, value)` gives for it.
template <typename Of>
void look_up(Image& image, const Of& of) {
  std::array<std::array<uint8_t, 256>, 3> table;
  for (size_t c = 0; c < 3; ++c)
    for (int v = 0; v < 256; ++v) table[c][static_cast<size_t>(v)] = of(c, v);
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    for (size_t c = 0; c < 3; ++c) image.pixels[i + c] = table[c][image.pixels[i + c]];
}

/// ImageEnhance.Brightness: 0 is black, 1 changes nothing.
void brighten(Image& image, float factor);
/// ImageEnhance.Contrast: 0 is the mean grey level everywhere.
void scale_contrast(Image& image, float factor);
/// ImageEnhance.Color: 0 is grey.
void saturate(Image& image, float factor);
/// ImageEnhance.Sharpness: 0 is smoothed over 3×3 pixels; the picture must be upright or its mirror image.
void sharpen(Image& image, float factor);
/// By a fraction of the colour circle, saturation and value kept.
void turn_hue(Image& image, float turns);
/// ImageOps.posterize: keeps the upper `bits` of each value.
void posterize(Image& image, int bits);
/// ImageOps.solarize: inverts values from `threshold` on.
void solarize(Image& image, int threshold);
/// ImageOps.autocontrast: spreads each channel's values over 0…255.
void spread_contrast(Image& image);
/// ImageOps.equalize: each channel's values as evenly spread as they can be.
void equalize(Image& image);
/// The grey level in every channel.
void make_grey(Image& image);

}  // namespace graft
