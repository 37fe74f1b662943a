// Compiled for AVX-512 BF16 alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/avx512_bf16/numbers.h"
#include "runtime/cpu/vector/avx512_bf16/parts.h"

namespace graft::cpu::avx512_bf16 {
namespace {

constexpr int64_t kTogether = 4;  // results that share a load of the weights

template <bool whole>
inline Lanes load_channels(const uint16_t* p, __mmask16 mask) {
  return whole ? load_numbers(p) : load_some(p, mask);
}

/// Results at `count` neighbouring columns of 16 channels, all of whose taps lie inside the row. `width`: of the
/// kernel, or 0 where it is known at run time only.
template <int count, bool whole, int width>
inline void inside(const Bf16DepthwiseRow& r, int64_t column, int64_t channel, __mmask16 mask) {
  Lanes sums[count];
  const Lanes bias = r.bias ? _mm512_maskz_loadu_ps(mask, r.bias + channel) : Lanes{};
#pragma GCC unroll 4
  for (int i = 0; i < count; ++i) sums[i] = bias;
  const int64_t step = r.stride * r.channels;
  for (int64_t t = 0; t < r.kernel_height; ++t) {
    if (!r.lines[t]) continue;
    const uint16_t* x = r.lines[t] + (column * r.stride - r.padding) * r.channels + channel;
    const float* w = r.weights + t * r.kernel_width * r.channels + channel;
    const int64_t kernel_width = width > 0 ? width : r.kernel_width;
#pragma GCC unroll 5
    for (int64_t s = 0; s < kernel_width; ++s, x += r.dilation * r.channels, w += r.channels) {
      const Lanes factor = _mm512_maskz_loadu_ps(mask, w);
#pragma GCC unroll 4
      for (int i = 0; i < count; ++i) sums[i] += load_channels<whole>(x + i * step, mask) * factor;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < count; ++i)
    store_some(r.y + (column + i) * r.channels + channel, activated(sums[i], r.activation), mask);
}

/// One result, some of whose taps may lie outside.
inline void at_the_edge(const Bf16DepthwiseRow& r, int64_t column, int64_t channel, __mmask16 mask) {
  Lanes sum = r.bias ? _mm512_maskz_loadu_ps(mask, r.bias + channel) : Lanes{};
  for (int64_t t = 0; t < r.kernel_height; ++t) {
    if (!r.lines[t]) continue;
    for (int64_t s = 0; s < r.kernel_width; ++s) {
      const int64_t at = column * r.stride - r.padding + s * r.dilation;
      if (at < 0 || at >= r.width) continue;
      sum += load_some(r.lines[t] + at * r.channels + channel, mask) *
             _mm512_maskz_loadu_ps(mask, r.weights + (t * r.kernel_width + s) * r.channels + channel);
    }
  }
  store_some(r.y + column * r.channels + channel, activated(sum, r.activation), mask);
}

/// Columns first … last - 1 of a row see only what is inside.
struct Inside {
  int64_t first, last;
};

template <bool whole, int width>
void channels_of_row(const Bf16DepthwiseRow& r, Inside in, int64_t c, __mmask16 mask) {
  int64_t column = 0;
  for (; column < in.first; ++column) at_the_edge(r, column, c, mask);
  for (; column + kTogether <= in.last; column += kTogether) inside<kTogether, whole, width>(r, column, c, mask);
  for (; column < in.last; ++column) inside<1, whole, width>(r, column, c, mask);
  for (; column < r.columns; ++column) at_the_edge(r, column, c, mask);
}

template <int width>
void row_of(const Bf16DepthwiseRow& r, Inside in) {
  int64_t c = 0;
  for (; c + 16 <= r.channels; c += 16) channels_of_row<true, width>(r, in, c, __mmask16(0xffff));
  if (c < r.channels) channels_of_row<false, width>(r, in, c, static_cast<__mmask16>((1u << (r.channels - c)) - 1));
}

void row(const Bf16DepthwiseRow& r) {
  Inside in{(r.padding + r.stride - 1) / r.stride, 0};
  in.first = in.first < r.columns ? in.first : r.columns;
  const int64_t room = r.width - 1 - (r.kernel_width - 1) * r.dilation + r.padding;
  in.last = room < 0 ? 0 : room / r.stride + 1;
  in.last = in.last > r.columns ? r.columns : in.last < in.first ? in.first : in.last;
  switch (r.kernel_width) {
    case 3:
      return row_of<3>(r, in);
    case 5:
      return row_of<5>(r, in);
    default:
      return row_of<0>(r, in);
  }
}

constexpr Bf16Depthwise kDepthwise{row};

}  // namespace

const Bf16Depthwise& depthwise() { return kDepthwise; }

}  // namespace graft::cpu::avx512_bf16
