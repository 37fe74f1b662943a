#include "augment/pixels/resample.h"

#include <algorithm>
#include <cstring>

#include "runtime/core/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace graft {
namespace {

constexpr int kBits = ResampleWeights::kPrecisionBits;
constexpr int32_t kHalf = 1 << (kBits - 1);

uint8_t clip8(int32_t v) { return static_cast<uint8_t>(std::clamp(v >> kBits, 0, 255)); }

void across(const uint8_t* row, const ResampleWeights& w, uint8_t* out) {
  for (size_t o = 0; o < w.first.size(); ++o, out += 3) {
    const uint8_t* p = row + w.first[o] * 3;
    const int32_t* k = w.values.data() + static_cast<int64_t>(o) * w.taps;
    int32_t r = kHalf, g = r, b = r;
    for (int64_t i = 0; i < w.count[o]; ++i) {
      r += p[3 * i] * k[i];
      g += p[3 * i + 1] * k[i];
      b += p[3 * i + 2] * k[i];
    }
    out[0] = clip8(r);
    out[1] = clip8(g);
    out[2] = clip8(b);
  }
}

void down(const uint8_t* rows, int64_t stride, const int32_t* weights, int64_t count, int64_t bytes, uint8_t* out) {
  for (int64_t x = 0; x < bytes; ++x) {
    int32_t sum = kHalf;
    for (int64_t k = 0; k < count; ++k) sum += rows[k * stride + x] * weights[k];
    out[x] = clip8(sum);
  }
}

#if defined(__x86_64__)

// Products of 16 bits add up in pairs, so a weight is split: w = upper·2¹¹ + lower. Sums of both are exact.
constexpr int kLowerBits = 11;
int16_t upper(int32_t weight) { return static_cast<int16_t>(weight >> kLowerBits); }
int16_t lower(int32_t weight) { return static_cast<int16_t>(weight & ((1 << kLowerBits) - 1)); }

/// Four taps at a time: lanes are r, g, b and nothing, of two taps each.
[[gnu::target("avx2")]] void across_avx2(const uint8_t* row, const ResampleWeights& w, int64_t groups,
                                         const int16_t* packed, uint8_t* out) {
  const __m128i by_channel = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
  const __m128i bytes = _mm_setr_epi8(0, 4, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const size_t outputs = w.first.size();
  const int64_t* first = w.first.data();
  for (size_t o = 0; o < outputs; ++o, out += 3) {
    const uint8_t* p = row + first[o] * 3;
    __m256i high = _mm256_setzero_si256(), low = high;
    for (int64_t g = 0; g < groups; ++g, p += 12, packed += 32) {
      const __m128i raw = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      const __m256i pixels = _mm256_cvtepu8_epi16(_mm_shuffle_epi8(raw, by_channel));
      const auto* weights = reinterpret_cast<const __m256i*>(packed);
      high = _mm256_add_epi32(high, _mm256_madd_epi16(pixels, _mm256_loadu_si256(weights)));
      low = _mm256_add_epi32(low, _mm256_madd_epi16(pixels, _mm256_loadu_si256(weights + 1)));
    }
    const __m256i both = _mm256_add_epi32(_mm256_slli_epi32(high, kLowerBits), low);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalf)), kBits);
    sum = _mm_min_epi32(_mm_max_epi32(sum, _mm_setzero_si128()), _mm_set1_epi32(255));
    const int32_t rgb = _mm_cvtsi128_si32(_mm_shuffle_epi8(sum, bytes));
    std::memcpy(out, &rgb, o + 1 < outputs ? 4 : 3);  // the fourth byte is overwritten by the next pixel
  }
}

/// Sixteen columns and two rows at a time.
[[gnu::target("avx2")]] void down_avx2(const uint8_t* rows, int64_t stride, const int32_t* weights, int64_t count,
                                       int64_t bytes, uint8_t* out) {
  const __m256i half = _mm256_set1_epi32(kHalf);
  int64_t x = 0;
  for (; x + 16 <= bytes; x += 16) {
    __m256i high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, low[2] = {high[0], high[0]};
    for (int64_t k = 0; k < count; k += 2) {
      const bool pair = k + 1 < count;
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + k * stride + x));
      const __m128i b =
          pair ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + (k + 1) * stride + x)) : _mm_setzero_si128();
      const int32_t first = weights[k], second = pair ? weights[k + 1] : 0;
      const auto both = [](int16_t one, int16_t other) {
        return static_cast<int32_t>(static_cast<uint16_t>(one) | static_cast<uint32_t>(static_cast<uint16_t>(other))
                                                                     << 16);
      };
      const __m256i upper_weights = _mm256_set1_epi32(both(upper(first), upper(second))),
                    lower_weights = _mm256_set1_epi32(both(lower(first), lower(second)));
      const __m256i pixels[2] = {_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(a, b)),
                                 _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(a, b))};
      for (int i = 0; i < 2; ++i) {
        high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(pixels[i], upper_weights));
        low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(pixels[i], lower_weights));
      }
    }
    for (int i = 0; i < 2; ++i)
      high[i] = _mm256_srai_epi32(
          _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(high[i], kLowerBits), low[i]), half), kBits);
    // Both packings saturate, which is the clipping; they work in halves, which the permutation puts in order.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(high[0], high[1]), 0b11011000);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + x),
                     _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  down(rows + x, stride, weights, count, bytes - x, out + x);
}

#endif

}  // namespace

RowResampler::RowResampler(const ResampleWeights& weights) : weights_(weights) {
#if defined(__x86_64__)
  if (!cpu::has_avx2()) return;
  groups_ = (*std::max_element(weights.count.begin(), weights.count.end()) + 3) / 4;
  packed_.assign(weights.first.size() * static_cast<size_t>(groups_) * 32, 0);
  int16_t* to = packed_.data();
  for (size_t o = 0; o < weights.first.size(); ++o)
    for (int64_t g = 0; g < groups_; ++g, to += 32)
      for (int64_t tap = 0; tap < 4; ++tap) {
        const int64_t i = 4 * g + tap;
        const int32_t weight =
            i < weights.count[o] ? weights.values[o * static_cast<size_t>(weights.taps) + static_cast<size_t>(i)] : 0;
        for (int64_t channel = 0; channel < 3; ++channel) {
          const int64_t lane = 8 * (tap / 2) + 2 * channel + tap % 2;
          to[lane] = upper(weight);
          to[16 + lane] = lower(weight);
        }
      }
#endif
}

void RowResampler::operator()(const uint8_t* row, uint8_t* out) const {
#if defined(__x86_64__)
  if (groups_ > 0) return across_avx2(row, weights_, groups_, packed_.data(), out);
#endif
  across(row, weights_, out);
}

void resample_column(const uint8_t* rows, int64_t stride, const int32_t* weights, int64_t count, int64_t bytes,
                     uint8_t* out) {
#if defined(__x86_64__)
  if (cpu::has_avx2()) return down_avx2(rows, stride, weights, count, bytes, out);
#endif
  down(rows, stride, weights, count, bytes, out);
}

}  // namespace graft
