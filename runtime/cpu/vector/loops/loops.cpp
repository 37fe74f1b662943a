// Compiled once per instruction set (GRAFT_ISA). Calls no inline function that another file could share: the linker
// would keep one copy of it, perhaps the one for a processor that is not here.
#include "runtime/cpu/vector/loops/lanes.h"
#include "runtime/cpu/vector/vector.h"

// A loop's iterations are independent of each other, whatever the compiler can prove about its pointers.
#if defined(__clang__)
#define GRAFT_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define GRAFT_IVDEP _Pragma("GCC ivdep")
#endif

namespace graft::cpu::GRAFT_ISA {
namespace {

using Kind = Activation::Kind;

template <Kind kind>
inline float activated(float v, float alpha, float beta) {
  if constexpr (kind == Kind::relu) return v < 0.0f ? 0.0f : v;  // NaN stays
  if constexpr (kind == Kind::clip) {
    const float raised = v < alpha ? alpha : v;
    return raised > beta ? beta : raised;
  }
  if constexpr (kind == Kind::leaky_relu) return v > 0.0f ? v : v * alpha;
  return v;
}

/// The slope at a point with activation input (or, for these activations equally, output) v.
template <Kind kind>
inline float masked(float dy, float v, float alpha, float beta) {
  if constexpr (kind == Kind::relu) return v > 0.0f ? dy : 0.0f;
  if constexpr (kind == Kind::clip) return v > alpha && v < beta ? dy : 0.0f;
  if constexpr (kind == Kind::leaky_relu) return v > 0.0f ? dy : dy * alpha;
  return dy;
}

template <typename Body>
inline void by_kind(Kind kind, Body body) {
  switch (kind) {
    case Kind::none:
      return body.template operator()<Kind::none>();
    case Kind::relu:
      return body.template operator()<Kind::relu>();
    case Kind::clip:
      return body.template operator()<Kind::clip>();
    case Kind::leaky_relu:
      return body.template operator()<Kind::leaky_relu>();
  }
}

constexpr int64_t kLineFloats = 16, kAhead = 256;  // a cache line, and how far ahead of the work lines are asked for

/// Whole registers; x and y (and the residual) are long streams.
template <bool residual, bool past_caches>
void affine_rows(const AffineArguments& a) {
  const int64_t channels = a.channels;
  for (int64_t r = 0; r < a.rows; ++r) {
    const float *x = a.x + r * channels, *add = residual ? a.residual + r * channels : nullptr;
    float* y = a.y + r * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      if (c % kLineFloats == 0) {
        prefetch_line(x + c + kAhead);
        if (residual) prefetch_line(add + c + kAhead);
      }
      Lanes v = load(x + c) * load(a.scale + c) + load(a.shift + c);
      if (residual) v += load(add + c);
      v = activated(v, a.activation);
      if (past_caches)
        stream(y + c, v);
      else
        store(y + c, v);
    }
  }
  if (past_caches) finish_stream();
}

void affine(const AffineArguments& a) {
  if (a.channels % kLanes == 0) {
    const bool stream = a.past_caches && reinterpret_cast<uintptr_t>(a.y) % sizeof(Lanes) == 0;
    if (a.residual) return stream ? affine_rows<true, true>(a) : affine_rows<true, false>(a);
    return stream ? affine_rows<false, true>(a) : affine_rows<false, false>(a);
  }
  by_kind(a.activation.kind, [&]<Kind kind>() {
    const float alpha = a.activation.alpha, beta = a.activation.beta;
    const int64_t channels = a.channels;
    const float* __restrict scale = a.scale, * __restrict shift = a.shift;
    for (int64_t r = 0; r < a.rows; ++r) {
      const float* x = a.x + r * channels;
      float* y = a.y + r * channels;
      if (a.residual) {
        const float* residual = a.residual + r * channels;
        GRAFT_IVDEP
        for (int64_t c = 0; c < channels; ++c)
          y[c] = activated<kind>(x[c] * scale[c] + shift[c] + residual[c], alpha, beta);
      } else {
        GRAFT_IVDEP
        for (int64_t c = 0; c < channels; ++c) y[c] = activated<kind>(x[c] * scale[c] + shift[c], alpha, beta);
      }
    }
  });
}

// Channels are walked in tiles whose running sums stay in registers or the first cache; single precision inside a tile
// of rows, double across tiles, so that long sums keep their digits.
constexpr int64_t kTile = 64, kRows = 32, kRowsAhead = 8;

void moments(const MomentArguments& a) {
  for (int64_t r0 = 0; r0 < a.rows; r0 += kRows) {
    const int64_t r1 = r0 + kRows < a.rows ? r0 + kRows : a.rows;
    for (int64_t c0 = 0; c0 < a.channels; c0 += kTile) {
      const int64_t n = c0 + kTile < a.channels ? kTile : a.channels - c0;
      float sum[kTile] = {}, squares[kTile] = {};
      const float* __restrict origin = a.origin + c0;
      for (int64_t r = r0; r < r1; ++r) {
        const float* __restrict x = a.x + r * a.channels + c0;
        GRAFT_IVDEP
        for (int64_t c = 0; c < n; ++c) {
          const float d = x[c] - origin[c];
          sum[c] += d;
          squares[c] += d * d;
        }
      }
      for (int64_t c = 0; c < n; ++c) {
        a.sum[c0 + c] += static_cast<double>(sum[c]);
        a.sum_of_squares[c0 + c] += static_cast<double>(squares[c]);
      }
    }
  }
}

void norm_gradient_sums(const NormGradientArguments& a) {
  by_kind(a.activation.kind, [&]<Kind kind>() {
    const float alpha = a.activation.alpha, beta = a.activation.beta;
    for (int64_t r0 = 0; r0 < a.rows; r0 += kRows) {
      const int64_t r1 = r0 + kRows < a.rows ? r0 + kRows : a.rows;
      for (int64_t c0 = 0; c0 < a.channels; c0 += kTile) {
        const int64_t n = c0 + kTile < a.channels ? kTile : a.channels - c0;
        float sum[kTile] = {}, sum_x[kTile] = {};
        const float* __restrict mean = a.mean + c0, * __restrict scale = a.scale + c0, * __restrict shift = a.shift + c0;
        for (int64_t r = r0; r < r1; ++r) {
          const int64_t at = r * a.channels + c0;
          const float *x = a.x + at, *dy = a.dy + at;
          for (int64_t line = 0; line < n; line += kLineFloats) {
            prefetch_line(x + kRowsAhead * a.channels + line);
            prefetch_line(dy + kRowsAhead * a.channels + line);
            if (a.y) prefetch_line(a.y + at + kRowsAhead * a.channels + line);
          }
          if (a.y) {
            const float* y = a.y + at;
            float* dz_of = a.dz + at;
            GRAFT_IVDEP
            for (int64_t c = 0; c < n; ++c) {
              const float dz = masked<kind>(dy[c], y[c], alpha, beta);
              dz_of[c] = dz;
              sum[c] += dz;
              sum_x[c] += dz * (x[c] - mean[c]);
            }
          } else {
            GRAFT_IVDEP
            for (int64_t c = 0; c < n; ++c) {
              const float dz = masked<kind>(dy[c], x[c] * scale[c] + shift[c], alpha, beta);
              sum[c] += dz;
              sum_x[c] += dz * (x[c] - mean[c]);
            }
          }
        }
        for (int64_t c = 0; c < n; ++c) {
          a.sum_dz[c0 + c] += static_cast<double>(sum[c]);
          a.sum_dz_x[c0 + c] += static_cast<double>(sum_x[c]);
        }
      }
    }
  });
}

void norm_gradient_apply(const NormGradientArguments& a) {
  by_kind(a.activation.kind, [&]<Kind kind>() {
    const float alpha = a.activation.alpha, beta = a.activation.beta;
    const float* __restrict scale = a.scale, * __restrict shift = a.shift;
    const float* __restrict k_dz = a.k_dz, * __restrict k_x = a.k_x, * __restrict k_1 = a.k_1;
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t at = r * a.channels;
      const float *x = a.x + at, *dy = a.dy + at;
      float* dx = a.dx + at;
      for (int64_t c0 = 0; c0 < a.channels; c0 += kTile) {
        const int64_t c1 = c0 + kTile < a.channels ? c0 + kTile : a.channels;
        for (int64_t line = c0; line < c1; line += kLineFloats) {
          prefetch_line(x + line + kAhead);
          prefetch_line(dy + line + kAhead);
        }
        GRAFT_IVDEP
        for (int64_t c = c0; c < c1; ++c) {
          const float dz = masked<kind>(dy[c], x[c] * scale[c] + shift[c], alpha, beta);
          dx[c] = dz * k_dz[c] + x[c] * k_x[c] + k_1[c];
        }
      }
    }
  });
}

void add(int64_t n, const float* a, const float* b, Activation activation, float* y) {
  by_kind(activation.kind, [&]<Kind kind>() {
    GRAFT_IVDEP
    for (int64_t i = 0; i < n; ++i) y[i] = activated<kind>(a[i] + b[i], activation.alpha, activation.beta);
  });
}

void activate(int64_t n, const float* x, Activation activation, float* y) {
  by_kind(activation.kind, [&]<Kind kind>() {
    GRAFT_IVDEP
    for (int64_t i = 0; i < n; ++i) y[i] = activated<kind>(x[i], activation.alpha, activation.beta);
  });
}

void activation_gradient(int64_t n, const float* dy, const float* y, Activation activation, float* dx) {
  by_kind(activation.kind, [&]<Kind kind>() {
    GRAFT_IVDEP
    for (int64_t i = 0; i < n; ++i) dx[i] = masked<kind>(dy[i], y[i], activation.alpha, activation.beta);
  });
}

void max_accumulate(int64_t n, const float* x, float* best, int32_t* position, int32_t at) {
  if (!position) {
    GRAFT_IVDEP
    for (int64_t i = 0; i < n; ++i) best[i] = ((x[i] > best[i]) | (x[i] != x[i])) ? x[i] : best[i];  // NaN wins
    return;
  }
  GRAFT_IVDEP
  for (int64_t i = 0; i < n; ++i) {
    const bool wins = (x[i] > best[i]) | (x[i] != x[i]);
    best[i] = wins ? x[i] : best[i];
    position[i] = wins ? at : position[i];
  }
}

void add_scaled(int64_t n, const float* x, float scale, float* y) {
  GRAFT_IVDEP
  for (int64_t i = 0; i < n; ++i) y[i] += x[i] * scale;
}

void lrn(int64_t channels, int64_t size, float alpha_over_size, float beta, float bias, const float* x, float* squares,
         float* y) {
  const int64_t left = (size - 1) / 2, right = size - 1 - left;
  const int64_t before = left < channels ? left : channels, after = right < channels ? right : channels;
  for (int64_t c = 0; c < channels; ++c) y[c] = 0;
  for (int64_t c = 0; c < channels; ++c) squares[c] = x[c] * x[c];
  for (int64_t offset = -before; offset <= after; ++offset) {
    const int64_t first = offset < 0 ? -offset : 0, last = offset > 0 ? channels - offset : channels;
    GRAFT_IVDEP
    for (int64_t c = first; c < last; ++c) y[c] += squares[c + offset];
  }
  if (beta == 0.75f) {  // t^-3/4 = 1/√t · √(1/√t): two square roots instead of a power
    for (int64_t c = 0; c < channels; ++c) {
      const float root = 1.0f / __builtin_sqrtf(bias + alpha_over_size * y[c]);
      y[c] = x[c] * root * __builtin_sqrtf(root);
    }
    return;
  }
  for (int64_t c = 0; c < channels; ++c) y[c] = x[c] * __builtin_powf(bias + alpha_over_size * y[c], -beta);
}

template <int rows>
void dot(int64_t depth, const float* x, const float* w, int64_t stride, float* sums) {
  constexpr int64_t kDistance = 256;  // floats; measured: a quarter and four times as much are slower
  Lanes sum[rows];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) sum[r] = Lanes{};
  int64_t k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    const Lanes v = load(x + k);
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) {
      const float* const at = w + r * stride + k;
      prefetch_line(at + kDistance);
      sum[r] = multiply_add(v, load(at), sum[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r) {
    float total = 0;
    for (int l = 0; l < kLanes; ++l) total += sum[r][l];
    for (int64_t i = k; i < depth; ++i) {
#if defined(__FMA__)
      total = __builtin_fmaf(x[i], w[r * stride + i], total);  // as multiply_add
#else
      total += x[i] * w[r * stride + i];
#endif
    }
    sums[r] = total;
  }
}

void dot_rows(int64_t depth, const float* x, const float* w, int64_t stride, int64_t rows, float* sums) {
  if (rows == VectorLoops::kDotRows) return dot<VectorLoops::kDotRows>(depth, x, w, stride, sums);
  for (int64_t r = 0; r < rows; ++r) dot<1>(depth, x, w + r * stride, stride, sums + r);
}

constexpr VectorLoops kLoops{affine,
                             moments,
                             norm_gradient_sums,
                             norm_gradient_apply,
                             add,
                             activate,
                             activation_gradient,
                             max_accumulate,
                             add_scaled,
                             lrn,
                             dot_rows};

}  // namespace

const VectorLoops& loops() { return kLoops; }

}  // namespace graft::cpu::GRAFT_ISA
