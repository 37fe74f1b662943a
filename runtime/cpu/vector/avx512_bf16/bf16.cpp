// Compiled for AVX-512 BF16 alone; see loops/loops.cpp for what such a file may include.
#include "runtime/cpu/vector/avx512_bf16/numbers.h"
#include "runtime/cpu/vector/avx512_bf16/parts.h"
#include "runtime/cpu/vector/loops/dot_tile.h"

namespace graft::cpu::avx512_bf16 {
namespace {

enum class Activating { no, relu, otherwise };

template <Activating activating>
inline Lanes activated_as(Lanes v, const Activation& activation) {
  if constexpr (activating == Activating::relu) return v < Lanes{} ? Lanes{} : v;  // NaN stays
  if constexpr (activating == Activating::otherwise) return activated(v, activation);
  return v;
}

/// Rows of 32 bfloat16 results.
template <bool has_residual, Activating activating>
void finish_whole_rows(const Tile<Bf16Tail>& t, const Lanes* sums, int64_t rows) {
  const Bf16Tail tail = *t.tail;
  const float* const bias_at = tail.bias + t.column;
  const Lanes bias[2] = {tail.bias ? load(bias_at) : Lanes{}, tail.bias ? load(bias_at + kWords) : Lanes{}};
  int64_t at = 2 * t.c_at;
  for (int64_t m = 0; m < rows; ++m, at += 2 * t.c_row) {
    Lanes low = sums[2 * m] + bias[0], high = sums[2 * m + 1] + bias[1];
    if constexpr (has_residual) {
      const __m512i numbers = _mm512_loadu_si512(tail.residual + at);
      low += widened(_mm512_castsi512_si256(numbers));
      high += widened(_mm512_extracti64x4_epi64(numbers, 1));
    }
    low = activated_as<activating>(low, tail.activation), high = activated_as<activating>(high, tail.activation);
    _mm512_storeu_si512(t.c + at, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
}

template <bool has_residual>
void finish_whole_rows(const Tile<Bf16Tail>& t, const Lanes* sums, int64_t rows) {
  switch (t.tail->activation.kind) {
    case Activation::Kind::none:
      return finish_whole_rows<has_residual, Activating::no>(t, sums, rows);
    case Activation::Kind::relu:
      return finish_whole_rows<has_residual, Activating::relu>(t, sums, rows);
    default:
      return finish_whole_rows<has_residual, Activating::otherwise>(t, sums, rows);
  }
}

struct Bf16Dot {
  using Tail = Bf16Tail;
  using Sum = Lanes;
  static constexpr bool kWritesSums = true;
  static bool writes_sums(const Tail& tail) {
    return tail.type == DType::f32 && !tail.bias && !tail.residual && tail.activation.kind == Activation::Kind::none;
  }
  static Sum add(Sum sum, Lanes a, Lanes b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  static void finish(const Tile<Tail>& t, const Sum* sums, int64_t rows, int64_t vectors) {
    const Tail tail = *t.tail;
    const bool is_bf16 = tail.type == DType::bf16;
    if (is_bf16 && t.columns == DotShape::kColumns)
      return tail.residual ? finish_whole_rows<true>(t, sums, rows) : finish_whole_rows<false>(t, sums, rows);
    for (int64_t j = 0; j < vectors; ++j) {
      const __mmask16 mask = t.mask(j);
      const Lanes bias = tail.bias ? _mm512_maskz_loadu_ps(mask, tail.bias + t.column + j * kWords) : Lanes{};
      int64_t at = t.c_at + j * kWords;
      for (int64_t m = 0; m < rows; ++m, at += t.c_row) {
        Lanes v = sums[m * vectors + j] + bias;
        if (is_bf16) {
          auto* const c = reinterpret_cast<uint16_t*>(t.c) + at;
          if (tail.residual) v += load_some(reinterpret_cast<const uint16_t*>(tail.residual) + at, mask);
          store_some(c, activated(v, tail.activation), mask);
        } else {
          auto* const c = reinterpret_cast<float*>(t.c) + at;
          if (tail.residual) v += _mm512_maskz_loadu_ps(mask, reinterpret_cast<const float*>(tail.residual) + at);
          _mm512_mask_storeu_ps(c, mask, activated(v, tail.activation));
        }
      }
    }
  }
};

/// body(first element, mask) for every 16 elements.
template <typename Body>
[[gnu::always_inline]] inline void by_sixteen(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) body(i, __mmask16(0xffff));
  if (i < n) body(i, static_cast<__mmask16>((1u << (n - i)) - 1));
}

void narrow(int64_t n, const float* x, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) { store_some(y + i, _mm512_maskz_loadu_ps(mask, x + i), mask); });
}

void widen(int64_t n, const uint16_t* x, float* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) { _mm512_mask_storeu_ps(y + i, mask, load_some(x + i, mask)); });
}

void add(int64_t n, const uint16_t* a, const uint16_t* b, Activation activation, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    store_some(y + i, activated(load_some(a + i, mask) + load_some(b + i, mask), activation), mask);
  });
}

void multiply(int64_t n, const uint16_t* a, const uint16_t* b, Activation activation, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    store_some(y + i, activated(load_some(a + i, mask) * load_some(b + i, mask), activation), mask);
  });
}

void activate(int64_t n, const uint16_t* x, Activation activation, uint16_t* y) {
  by_sixteen(
      n, [&](int64_t i, __mmask16 mask) { store_some(y + i, activated(load_some(x + i, mask), activation), mask); });
}

inline Lanes masked(Lanes dy, Lanes y, const Activation& activation) {
  switch (activation.kind) {
    case Activation::Kind::relu:
      return y > Lanes{} ? dy : Lanes{};
    case Activation::Kind::clip:
      return y > broadcast(activation.alpha) && y < broadcast(activation.beta) ? dy : Lanes{};
    case Activation::Kind::leaky_relu:
      return y > Lanes{} ? dy : dy * activation.alpha;
    case Activation::Kind::none:
      break;
  }
  return dy;
}

void activation_gradient(int64_t n, const uint16_t* dy, const uint16_t* y, Activation activation, uint16_t* dx) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    store_some(dx + i, masked(load_some(dy + i, mask), load_some(y + i, mask), activation), mask);
  });
}

void max_of(int64_t n, const uint16_t* const* x, int64_t count, uint16_t* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    Lanes best = broadcast(-__builtin_inff());
    for (int64_t t = 0; t < count; ++t) {
      const Lanes v = load_some(x[t] + i, mask);
      best = best != best || best > v ? best : v;  // NaN stays
    }
    store_some(y + i, best, mask);
  });
}

void add_scaled(int64_t n, const uint16_t* x, float scale, float* y) {
  by_sixteen(n, [&](int64_t i, __mmask16 mask) {
    const Lanes sum = _mm512_maskz_loadu_ps(mask, y + i);
    _mm512_mask_storeu_ps(y + i, mask, load_some(x + i, mask) * broadcast(scale) + sum);
  });
}

constexpr Bf16Tiles kTiles{avx512_bf16::multiply<Bf16Dot>};
constexpr Bf16Loops kLoops{narrow, widen, add, multiply, activate, activation_gradient, max_of, add_scaled};

}  // namespace

const Bf16Kernels& kernels() {
  static const Bf16Kernels all{kTiles, kLoops, winograd(), depthwise(), pixel_tiles()};
  return all;
}

}  // namespace graft::cpu::avx512_bf16
