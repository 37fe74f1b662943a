#include "augment/pixels/jpeg_artefacts.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "runtime/core/isa.h"

namespace graft {
namespace {

constexpr int64_t kSide = 8;  // of a block

/// Eight neighbours of a block, one a lane. Functions of them are inlined, as vectors cannot be handed over alike on
/// every instruction set.
using Lanes = int32_t __attribute__((vector_size(kSide * sizeof(int32_t))));
using FloatLanes = float __attribute__((vector_size(kSide * sizeof(float))));
using Samples = int16_t __attribute__((vector_size(kSide * sizeof(int16_t)), aligned(sizeof(int16_t)), may_alias));

/// Luma or chroma, in whole blocks. As in libjpeg, rows below the picture repeat the last one, columns beside it are
/// made of the last column of pixels.
struct Plane {
  int64_t width, height;         // real ones
  int64_t stride, rows;          // multiples of kSide
  std::vector<int16_t> samples;  // rows × stride
  Plane(int64_t w, int64_t h)
      : width(w),
        height(h),
        stride((w + kSide - 1) / kSide * kSide),
        rows((h + kSide - 1) / kSide * kSide),
        samples(static_cast<size_t>(stride * rows)) {}
  int16_t* row(int64_t y) { return samples.data() + y * stride; }
  const int16_t* row(int64_t y) const { return samples.data() + y * stride; }
  void fill_right() {
    for (int64_t y = 0; y < height; ++y) std::fill(row(y) + width, row(y) + stride, row(y)[width - 1]);
  }
  void fill_below() {
    for (int64_t y = height; y < rows; ++y) std::copy_n(row(height - 1), stride, row(y));
  }
};

using Quantisation = std::array<int32_t, 64>;  // in natural order

// Annex K.1 and K.2 of T.81.
constexpr Quantisation kLuma = {16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,
                                14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,
                                18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,
                                49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
constexpr Quantisation kChroma = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,
                                  24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
                                  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
                                  99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

/// jpeg_set_quality, with force_baseline.
Quantisation of_quality(Quantisation table, int quality) {
  const int32_t percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  for (int32_t& step : table) step = std::clamp((step * percent + 50) / 100, 1, 255);
  return table;
}

// The accurate integer transforms of libjpeg (jfdctint.c, jidctint.c): Loeffler, Ligtenberg and Moschytz 1989,
// constants in 1/8192, two bits more kept between the passes.
constexpr int kConstBits = 13, kPassBits = 2;
constexpr int32_t fixed(double value) { return static_cast<int32_t>(value * (1 << kConstBits) + 0.5); }

[[gnu::always_inline]] inline void descale(Lanes& value, int bits) { value = (value + (1 << (bits - 1))) >> bits; }

/// The odd part that both directions share: t[0…3] become what four of the outputs are made of.
[[gnu::always_inline]] inline void odd_part(Lanes (&t)[4]) {
  const Lanes z1 = (t[0] + t[3]) * -fixed(0.899976223), z2 = (t[1] + t[2]) * -fixed(2.562915447);
  const Lanes z5 = (t[0] + t[2] + t[1] + t[3]) * fixed(1.175875602);
  const Lanes z3 = (t[0] + t[2]) * -fixed(1.961570560) + z5, z4 = (t[1] + t[3]) * -fixed(0.390180644) + z5;
  t[0] = t[0] * fixed(0.298631336) + z1 + z3;
  t[1] = t[1] * fixed(2.053119869) + z2 + z4;
  t[2] = t[2] * fixed(3.072711026) + z2 + z3;
  t[3] = t[3] * fixed(1.501321110) + z1 + z4;
}

/// Over the eight vectors, in place; `bits`: by how much the results of products shrink.
template <bool kSecond>
[[gnu::always_inline]] inline void forward_dct(Lanes (&d)[8]) {
  constexpr int kBits = kSecond ? kConstBits + kPassBits : kConstBits - kPassBits;
  const Lanes sum0 = d[0] + d[7], sum1 = d[1] + d[6], sum2 = d[2] + d[5], sum3 = d[3] + d[4];
  Lanes odd[4] = {d[3] - d[4], d[2] - d[5], d[1] - d[6], d[0] - d[7]};
  const Lanes even0 = sum0 + sum3, even3 = sum0 - sum3, even1 = sum1 + sum2, even2 = sum1 - sum2;
  d[0] = even0 + even1;
  d[4] = even0 - even1;
  for (const int i : {0, 4}) {
    if constexpr (kSecond)
      descale(d[i], kPassBits);
    else
      d[i] = d[i] << kPassBits;
  }
  const Lanes z = (even2 + even3) * fixed(0.541196100);
  d[2] = z + even3 * fixed(0.765366865);
  d[6] = z - even2 * fixed(1.847759065);
  odd_part(odd);
  d[7] = odd[0];
  d[5] = odd[1];
  d[3] = odd[2];
  d[1] = odd[3];
  for (const int i : {1, 2, 3, 5, 6, 7}) descale(d[i], kBits);
}

template <bool kSecond>
[[gnu::always_inline]] inline void inverse_dct(Lanes (&d)[8]) {
  constexpr int kBits = kSecond ? kConstBits + kPassBits + 3 : kConstBits - kPassBits;
  const Lanes z = (d[2] + d[6]) * fixed(0.541196100);
  const Lanes part2 = z - d[6] * fixed(1.847759065), part3 = z + d[2] * fixed(0.765366865);
  const Lanes part0 = (d[0] + d[4]) << kConstBits, part1 = (d[0] - d[4]) << kConstBits;
  const Lanes even[4] = {part0 + part3, part1 + part2, part1 - part2, part0 - part3};
  Lanes odd[4] = {d[7], d[5], d[3], d[1]};
  odd_part(odd);
  for (int i = 0; i < 4; ++i) {
    d[i] = even[i] + odd[3 - i];
    d[7 - i] = even[i] - odd[3 - i];
  }
  for (Lanes& value : d) descale(value, kBits);
}

/// Rows become columns: three perfect shuffles of 64 values.
[[gnu::always_inline]] inline void transpose(Lanes (&d)[8]) {
  for (int round = 0; round < 3; ++round) {
    Lanes mixed[8];
    for (int i = 0; i < 4; ++i) {
      mixed[2 * i] = __builtin_shufflevector(d[i], d[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      mixed[2 * i + 1] = __builtin_shufflevector(d[i], d[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; ++i) d[i] = mixed[i];
  }
}

/// Rounded to whole steps, halves away from zero. Quotients of integers this small are cut off right after a division
/// in float.
[[gnu::always_inline]] inline void quantise(Lanes& value, const Lanes& step) {
  const Lanes divisor = step << 3;  // the transform's results are eight times too large
  const Lanes sign = value >> 31;
  const Lanes magnitude = ((value ^ sign) - sign) + (divisor >> 1);
  const Lanes steps = __builtin_convertvector(
      __builtin_convertvector(magnitude, FloatLanes) / __builtin_convertvector(divisor, FloatLanes), Lanes);
  value = ((steps ^ sign) - sign) * step;
}

void compress_blocks(Plane& plane, const Quantisation& table) {
  cpu::on_best_isa([&plane, &table] {
    Lanes steps[8];
    for (int i = 0; i < 8; ++i) std::memcpy(&steps[i], table.data() + 8 * i, sizeof(Lanes));
    for (int64_t y = 0; y < plane.rows; y += kSide)
      for (int64_t x = 0; x < plane.stride; x += kSide) {
        int16_t* const corner = plane.row(y) + x;
        Lanes d[8];
        for (int i = 0; i < 8; ++i)
          d[i] = __builtin_convertvector(*reinterpret_cast<const Samples*>(corner + i * plane.stride), Lanes) - 128;
        transpose(d);
        forward_dct<false>(d);  // along rows
        transpose(d);
        forward_dct<true>(d);
        for (int i = 0; i < 8; ++i) quantise(d[i], steps[i]);
        inverse_dct<false>(d);
        transpose(d);
        inverse_dct<true>(d);
        transpose(d);
        for (int i = 0; i < 8; ++i) {
          Lanes value = d[i] + 128;
          value = value < 0 ? value ^ value : value;
          value = value > 255 ? (value ^ value) + 255 : value;
          *reinterpret_cast<Samples*>(corner + i * plane.stride) = __builtin_convertvector(value, Samples);
        }
      }
  });
}

constexpr int32_t colour(double value) { return static_cast<int32_t>(value * 65536 + 0.5); }
constexpr int32_t kHalf = 1 << 15;

/// Chroma of one row.
struct ChromaRow {
  std::vector<int16_t> blue, red;
  explicit ChromaRow(int64_t width) : blue(static_cast<size_t>(width)), red(static_cast<size_t>(width)) {}
  void fill_up(int64_t from) {
    for (std::vector<int16_t>* row : {&blue, &red}) std::fill(row->begin() + from, row->end(), row->at(from - 1));
  }
};

/// A row's colours as JFIF has them (jccolor.c).
[[gnu::always_inline]] inline void split_colours(const uint8_t* pixels, int64_t width, int16_t* luma, int16_t* blue,
                                                 int16_t* red) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t r = pixels[3 * x], g = pixels[3 * x + 1], b = pixels[3 * x + 2];
    constexpr int32_t kCentre = (128 << 16) + kHalf - 1;
    luma[x] = static_cast<int16_t>((colour(0.299) * r + colour(0.587) * g + colour(0.114) * b + kHalf) >> 16);
    blue[x] = static_cast<int16_t>((-colour(0.16874) * r - colour(0.33126) * g + colour(0.5) * b + kCentre) >> 16);
    red[x] = static_cast<int16_t>((colour(0.5) * r - colour(0.41869) * g - colour(0.08131) * b + kCentre) >> 16);
  }
}

/// The mean of 2×2, rounded down and up in turns (jcsample.c).
[[gnu::always_inline]] inline void halve(const int16_t* upper, const int16_t* lower, int64_t width, int16_t* to) {
  for (int64_t x = 0; x < width; ++x)
    to[x] =
        static_cast<int16_t>((upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1] + 1 + (x & 1)) >> 2);
}

/// Luma at full size and chroma at half of it.
struct Planes {
  Plane luma, blue, red;
  explicit Planes(const Image& image)
      : luma(image.width, image.height), blue((image.width + 1) / 2, (image.height + 1) / 2), red(blue) {
    ChromaRow upper(2 * blue.stride), lower(2 * blue.stride);
    for (int64_t y = 0; y < image.height; y += 2) {
      const bool both = y + 1 < image.height;
      const ChromaRow& second = both ? lower : upper;
      cpu::on_best_isa([&, this] {
        split_colours(image.row(y), image.width, luma.row(y), upper.blue.data(), upper.red.data());
        if (both) split_colours(image.row(y + 1), image.width, luma.row(y + 1), lower.blue.data(), lower.red.data());
        upper.fill_up(image.width);
        lower.fill_up(image.width);
        halve(upper.blue.data(), second.blue.data(), blue.stride, blue.row(y / 2));
        halve(upper.red.data(), second.red.data(), red.stride, red.row(y / 2));
      });
    }
    luma.fill_right();
    for (Plane* plane : {&luma, &blue, &red}) plane->fill_below();
  }
};

/// Twice the width and height by libjpeg's triangle filter (jdsample.c): three parts of the nearer sample, one of the
/// farther, in both directions; pictures up to four pixels wide repeat samples. `near` and `far`: rows of chroma;
/// `sums`: room for a row; `to`: an even width.
[[gnu::always_inline]] inline void double_row(const int16_t* near, const int16_t* far, int64_t width, int32_t* sums,
                                              int16_t* to) {
  if (width <= 2) {
    for (int64_t x = 0; x < width; ++x) to[2 * x] = to[2 * x + 1] = near[x];
    return;
  }
  for (int64_t x = 0; x < width; ++x) sums[x] = 3 * near[x] + far[x];
  to[0] = static_cast<int16_t>((4 * sums[0] + 8) >> 4);
  for (int64_t x = 1; x < width; ++x) {
    to[2 * x - 1] = static_cast<int16_t>((3 * sums[x - 1] + sums[x] + 7) >> 4);
    to[2 * x] = static_cast<int16_t>((3 * sums[x] + sums[x - 1] + 8) >> 4);
  }
  to[2 * width - 1] = static_cast<int16_t>((4 * sums[width - 1] + 7) >> 4);
}

[[gnu::always_inline]] inline void join_colours(const int16_t* luma, const int16_t* blue, const int16_t* red,
                                                int64_t width, uint8_t* pixels) {
  for (int64_t x = 0; x < width; ++x) {
    const int32_t y = luma[x], b = blue[x] - 128, r = red[x] - 128;
    const int32_t values[3] = {y + ((colour(1.402) * r + kHalf) >> 16),
                               y + ((-colour(0.34414) * b - colour(0.71414) * r + kHalf) >> 16),
                               y + ((colour(1.772) * b + kHalf) >> 16)};
    for (int c = 0; c < 3; ++c) pixels[3 * x + c] = static_cast<uint8_t>(std::clamp(values[c], 0, 255));
  }
}

Image joined(const Planes& planes) {
  Image image(planes.luma.width, planes.luma.height);
  const int64_t rows = planes.blue.height, columns = planes.blue.width;
  ChromaRow doubled(2 * columns);
  std::vector<int32_t> sums(static_cast<size_t>(columns));
  for (int64_t y = 0; y < image.height; ++y) {
    const int64_t near = y / 2, far = columns <= 2 ? near : std::clamp<int64_t>(near + (y % 2 ? 1 : -1), 0, rows - 1);
    cpu::on_best_isa([&] {
      double_row(planes.blue.row(near), planes.blue.row(far), columns, sums.data(), doubled.blue.data());
      double_row(planes.red.row(near), planes.red.row(far), columns, sums.data(), doubled.red.data());
      join_colours(planes.luma.row(y), doubled.blue.data(), doubled.red.data(), image.width, image.row(y));
    });
  }
  return image;
}

}  // namespace

Image with_jpeg_artefacts(const Image& image, int quality) {
  if (image.pixels.empty()) return image;
  Planes planes(image);
  compress_blocks(planes.luma, of_quality(kLuma, quality));
  const Quantisation chroma = of_quality(kChroma, quality);
  compress_blocks(planes.blue, chroma);
  compress_blocks(planes.red, chroma);
  return joined(planes);
}

}  // namespace graft
