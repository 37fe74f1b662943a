// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/depthwise.h"

#include <utility>

#include "runtime/cpu/vector/loops/lanes.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

constexpr int kMostTaps = 8;  // whose sums stay in registers together

inline int64_t clamped(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }
/// ⌈a/b⌉ for any a and positive b.
inline int64_t divide_up(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }

/// Sums of kLanes channels from `channel` on, for `taps` taps from `first` on.
template <int taps>
inline void sum_taps(const DepthwiseWeightRow& r, int64_t channel, int64_t first, Lanes (&sums)[kMostTaps]) {
  const int64_t begin = first * r.dilation - r.padding, end = begin + (taps - 1) * r.dilation;
  // Columns for which all taps lie inside.
  const int64_t low = clamped(divide_up(-begin, r.stride), 0, r.columns),
                high = clamped(divide_up(r.width - end, r.stride), low, r.columns);
  const auto at_the_edge = [&](int64_t column) {
    const Lanes dy = load(r.dy + column * r.channels + channel);
    for (int t = 0; t < taps; ++t) {
      const int64_t at = column * r.stride + begin + t * r.dilation;
      if (at >= 0 && at < r.width) sums[t] = multiply_add(dy, load(r.x + at * r.channels + channel), sums[t]);
    }
  };
  for (int64_t column = 0; column < low; ++column) at_the_edge(column);
  const float *dy = r.dy + low * r.channels + channel, *x = r.x + (low * r.stride + begin) * r.channels + channel;
  const int64_t dy_step = r.channels, x_step = r.stride * r.channels, tap_step = r.dilation * r.channels;
  for (int64_t column = low; column < high; ++column, dy += dy_step, x += x_step) {
    const Lanes d = load(dy);
#pragma GCC unroll 8
    for (int t = 0; t < taps; ++t) sums[t] = multiply_add(d, load(x + t * tap_step), sums[t]);
  }
  for (int64_t column = high; column < r.columns; ++column) at_the_edge(column);
}

using SumTaps = void (*)(const DepthwiseWeightRow&, int64_t, int64_t, Lanes (&)[kMostTaps]);

constexpr auto kSumTaps = []<int... n>(std::integer_sequence<int, n...>) {
  struct Table {
    SumTaps of[kMostTaps + 1];
  };
  return Table{{nullptr, sum_taps<n + 1>...}};
}
(std::make_integer_sequence<int, kMostTaps>{});

/// The last `count` of the kLanes channels from `channel` on.
void add_channels(const DepthwiseWeightRow& r, int64_t channel, int count) {
  for (int64_t first = 0; first < r.taps; first += kMostTaps) {
    const int64_t taps = r.taps - first < kMostTaps ? r.taps - first : kMostTaps;
    alignas(sizeof(Lanes)) Lanes sums[kMostTaps] = {};  // clang takes a reference to them as aligned
    kSumTaps.of[taps](r, channel, first, sums);
    for (int64_t t = 0; t < taps; ++t) {
      float* const to = r.sums + (first + t) * r.channels + channel;
      if (count == kLanes) {
        store(to, load(to) + sums[t]);
      } else {
        for (int i = kLanes - count; i < kLanes; ++i) to[i] += sums[t][i];
      }
    }
  }
}

/// Of fewer channels than fill a register.
void add_few_channels(const DepthwiseWeightRow& r) {
  for (int64_t s = 0; s < r.taps; ++s)
    for (int64_t column = 0; column < r.columns; ++column) {
      const int64_t at = column * r.stride - r.padding + s * r.dilation;
      if (at < 0 || at >= r.width) continue;
      for (int64_t c = 0; c < r.channels; ++c)
        r.sums[s * r.channels + c] += r.dy[column * r.channels + c] * r.x[at * r.channels + c];
    }
}

void weight_row(const DepthwiseWeightRow& r) {
  if (r.channels < kLanes) return add_few_channels(r);
  int64_t c = 0;
  for (; c + kLanes <= r.channels; c += kLanes) add_channels(r, c, kLanes);
  if (c < r.channels) add_channels(r, r.channels - kLanes, static_cast<int>(r.channels - c));
}

constexpr DepthwiseLoops kLoops{weight_row};

}  // namespace

const DepthwiseLoops& depthwise_loops() { return kLoops; }

}  // namespace graft::cpu::GRAFT_ISA
