#include "augment/pixels/row_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/core/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graft {
namespace {

constexpr int kBits = 14;
constexpr int32_t kOne = 1 << kBits;

/// The source as the taps of a place are found in it.
struct Grid {
  float width, height;
  int32_t last_left, last_upper;  // of the upper left tap
  int32_t stride;
  float half, most;  // the centre of a pixel, and what the taps beyond it weigh at most; 0 for nearest
};

/// Where the taps of each place are, and their weights. Pixel centres are at halves; beyond the outer ones a pixel goes
/// on.
void find_taps(const Grid& grid, size_t begin, size_t end, const float* xs, const float* ys, int32_t* offsets,
               int32_t* upper, int32_t* lower) {
  const float half = grid.half;
  for (size_t i = begin; i < end; ++i) {
    const bool inside = xs[i] >= 0 && xs[i] < grid.width && ys[i] >= 0 && ys[i] < grid.height;
    const float x = xs[i] > half ? std::min(xs[i], grid.width) - half : 0,
                y = ys[i] > half ? std::min(ys[i], grid.height) - half : 0;
    const int32_t left = std::min(static_cast<int32_t>(x), grid.last_left),
                  top = std::min(static_cast<int32_t>(y), grid.last_upper);
    const float across = std::min(x - static_cast<float>(left), grid.most),
                down = std::min(y - static_cast<float>(top), grid.most);
    const auto bottom = static_cast<int32_t>(down * kOne + 0.5f);
    const auto lower_right = static_cast<int32_t>(across * static_cast<float>(bottom) + 0.5f),
               upper_right = static_cast<int32_t>(across * static_cast<float>(kOne - bottom) + 0.5f);
    offsets[i] = inside ? top * grid.stride + 3 * left : -1;
    upper[i] = (kOne - bottom - upper_right) | upper_right << 16;
    lower[i] = (bottom - lower_right) | lower_right << 16;
  }
}

int32_t first_of(int32_t pair) { return pair & 0xffff; }
int32_t second_of(int32_t pair) { return pair >> 16; }

#if defined(__x86_64__)

[[gnu::target("avx2")]] __m256 inside(__m256 v, float end) {
  return _mm256_and_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_GE_OQ),
                       _mm256_cmp_ps(v, _mm256_set1_ps(end), _CMP_LT_OQ));
}

[[gnu::target("avx2")]] __m256i rounded(__m256 v) {
  return _mm256_cvttps_epi32(_mm256_add_ps(v, _mm256_set1_ps(0.5f)));
}

[[gnu::target("avx2")]] void store(int32_t* to, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }

/// The same eight at a time; returns how many it did.
[[gnu::target("avx2")]] size_t find_taps_avx2(const Grid& grid, size_t count, const float* xs, const float* ys,
                                              int32_t* offsets, int32_t* upper, int32_t* lower) {
  const __m256 zero = _mm256_setzero_ps(), half = _mm256_set1_ps(grid.half), most = _mm256_set1_ps(grid.most),
               one = _mm256_set1_ps(static_cast<float>(kOne));
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 width = _mm256_set1_ps(grid.width), height = _mm256_set1_ps(grid.height),
                 x_given = _mm256_loadu_ps(xs + i), y_given = _mm256_loadu_ps(ys + i);
    const __m256i kept = _mm256_castps_si256(_mm256_and_ps(inside(x_given, grid.width), inside(y_given, grid.height)));
    // The second of two operands is what comes of one that is not a number.
    const __m256 x = _mm256_max_ps(_mm256_sub_ps(_mm256_min_ps(x_given, width), half), zero),
                 y = _mm256_max_ps(_mm256_sub_ps(_mm256_min_ps(y_given, height), half), zero);
    const __m256i left = _mm256_min_epi32(_mm256_cvttps_epi32(x), _mm256_set1_epi32(grid.last_left)),
                  top = _mm256_min_epi32(_mm256_cvttps_epi32(y), _mm256_set1_epi32(grid.last_upper));
    const __m256 across = _mm256_min_ps(_mm256_sub_ps(x, _mm256_cvtepi32_ps(left)), most),
                 down = _mm256_min_ps(_mm256_sub_ps(y, _mm256_cvtepi32_ps(top)), most);
    const __m256i bottom = rounded(_mm256_mul_ps(down, one)), above = _mm256_sub_epi32(_mm256_set1_epi32(kOne), bottom);
    const __m256i lower_right = rounded(_mm256_mul_ps(across, _mm256_cvtepi32_ps(bottom))),
                  upper_right = rounded(_mm256_mul_ps(across, _mm256_cvtepi32_ps(above)));
    const __m256i offset = _mm256_add_epi32(_mm256_mullo_epi32(top, _mm256_set1_epi32(grid.stride)),
                                            _mm256_mullo_epi32(left, _mm256_set1_epi32(3)));
    store(offsets + i, _mm256_blendv_epi8(_mm256_set1_epi32(-1), offset, kept));
    store(upper + i, _mm256_or_si256(_mm256_sub_epi32(above, upper_right), _mm256_slli_epi32(upper_right, 16)));
    store(lower + i, _mm256_or_si256(_mm256_sub_epi32(bottom, lower_right), _mm256_slli_epi32(lower_right, 16)));
  }
  return i;
}

/// Of pixels whose eight bytes from a tap on may be read; returns where it met another.
[[gnu::target("avx2")]] size_t add_avx2(const uint8_t* pixels, int64_t stride, int32_t last_offset, size_t begin,
                                        size_t count, const int32_t* offsets, const int32_t* upper,
                                        const int32_t* lower, int32_t* sums) {
  const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 8, 11, 9, 12, 10, 13, -1, -1);
  for (size_t i = begin; i < count; ++i) {
    if (static_cast<uint32_t>(offsets[i]) > static_cast<uint32_t>(last_offset)) return i;
    const uint8_t* p = pixels + offsets[i];
    const __m128i taps = _mm_unpacklo_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)),
                                            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + stride)));
    const __m256i values = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(taps, pairs));
    const __m256i weights = _mm256_set_m128i(_mm_set1_epi32(lower[i]), _mm_set1_epi32(upper[i]));
    const __m256i products = _mm256_madd_epi16(values, weights);
    const __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(products), _mm256_extracti128_si256(products, 1));
    auto* to = reinterpret_cast<__m128i*>(sums + 4 * i);
    _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), sum));
  }
  return count;
}

[[gnu::target("avx2")]] void write_avx2(const int32_t* sums, size_t count, float scale, uint8_t* out) {
  const __m128i bytes = _mm_setr_epi8(0, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  for (size_t i = 0; i < count; ++i, out += 3) {
    const __m128 value = _mm_cvtepi32_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sums + 4 * i)));
    const __m128i whole = _mm_cvttps_epi32(_mm_add_ps(_mm_mul_ps(value, _mm_set1_ps(scale)), _mm_set1_ps(0.5f)));
    const int32_t rgb = _mm_cvtsi128_si32(_mm_shuffle_epi8(whole, bytes));
    std::memcpy(out, &rgb, i + 1 < count ? 4 : 3);  // the fourth byte is overwritten by the next pixel
  }
}

#endif

}  // namespace

RowSampler::RowSampler(const Image& source, int64_t width, const Sampling& sampling)
    : source_(source),
      width_(static_cast<size_t>(width)),
      fill_{sampling.fill[0] * kOne, sampling.fill[1] * kOne, sampling.fill[2] * kOne},
      nearest_(sampling.interpolation == Interpolation::nearest),
      offsets_(width_),
      upper_(width_),
      lower_(width_),
      sums_(4 * width_) {}

void RowSampler::clear() { std::fill(sums_.begin(), sums_.end(), 0); }

void RowSampler::place(const float* xs, const float* ys) {
  // Every tap has one to the right and one below, but where a picture is one pixel wide or high.
  const Grid grid{static_cast<float>(source_.width),
                  static_cast<float>(source_.height),
                  static_cast<int32_t>(std::max<int64_t>(source_.width - (nearest_ ? 1 : 2), 0)),
                  static_cast<int32_t>(std::max<int64_t>(source_.height - (nearest_ ? 1 : 2), 0)),
                  static_cast<int32_t>(3 * source_.width),
                  nearest_ ? 0.0f : 0.5f,
                  nearest_ ? 0.0f : 1.0f};
  size_t done = 0;
#if defined(__x86_64__)
  if (cpu::has_avx2()) done = find_taps_avx2(grid, width_, xs, ys, offsets_.data(), upper_.data(), lower_.data());
#endif
  find_taps(grid, done, width_, xs, ys, offsets_.data(), upper_.data(), lower_.data());
}

void RowSampler::add(const float* xs, const float* ys) {
  place(xs, ys);
  const uint8_t* pixels = source_.pixels.data();
  const auto bytes = static_cast<int64_t>(source_.pixels.size());
  const int64_t stride = 3 * source_.width;
  for (size_t i = 0; i < width_; ++i) {
#if defined(__x86_64__)
    // The tap to the right stands three bytes on: where a picture is one pixel wide, there is none.
    const bool has_right = nearest_ || source_.width > 1;
    if (const int64_t last = bytes - stride - 8; last >= 0 && has_right && cpu::has_avx2())
      i = add_avx2(pixels, stride, static_cast<int32_t>(last), i, width_, offsets_.data(), upper_.data(), lower_.data(),
                   sums_.data());
    if (i == width_) return;
#endif
    int32_t* sum = sums_.data() + 4 * i;
    if (offsets_[i] < 0) {
      for (int c = 0; c < 3; ++c) sum[c] += fill_[c];
      continue;
    }
    const uint8_t* p = pixels + offsets_[i];
    const int64_t right = source_.width > 1 && !nearest_ ? 3 : 0, below = source_.height > 1 && !nearest_ ? stride : 0;
    for (int c = 0; c < 3; ++c, ++p)
      sum[c] += p[0] * first_of(upper_[i]) + p[right] * second_of(upper_[i]) + p[below] * first_of(lower_[i]) +
                p[below + right] * second_of(lower_[i]);
  }
}

void RowSampler::write(int times, uint8_t* out) const {
  const float scale = 1.0f / static_cast<float>(kOne * times);
#if defined(__x86_64__)
  if (cpu::has_avx2()) return write_avx2(sums_.data(), width_, scale, out);
#endif
  for (size_t i = 0; i < width_; ++i)
    for (size_t c = 0; c < 3; ++c)
      out[3 * i + c] = static_cast<uint8_t>(static_cast<float>(sums_[4 * i + c]) * scale + 0.5f);
}

}  // namespace graft
