// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/winograd_transforms.h"

#include "runtime/cpu/vector/loops/two_dimensional.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

// Interpolation points 0, ±p, ±q, ∞; p, q, their powers and the products below are exact in float32.
constexpr float p = 0.625f, q = 1.5f, p2 = p * p, q2 = q * q, p3 = p2 * p, q3 = q2 * q;

/// o = Bᵀ·d
inline void input_line(const Lanes d[6], Lanes o[6]) {
  const Lanes even_q = d[4] - q2 * d[2], odd_q = p * (d[3] - q2 * d[1]);
  const Lanes even_p = d[4] - p2 * d[2], odd_p = q * (d[3] - p2 * d[1]);
  o[0] = (d[4] - (p2 + q2) * d[2]) + (p2 * q2) * d[0];
  o[1] = even_q + odd_q;
  o[2] = even_q - odd_q;
  o[3] = even_p + odd_p;
  o[4] = even_p - odd_p;
  o[5] = (d[5] - (p2 + q2) * d[3]) + (p2 * q2) * d[1];
}

/// o = Aᵀ·m
inline void output_line(const Lanes m[6], Lanes o[4]) {
  const Lanes sum_p = m[1] + m[2], difference_p = m[1] - m[2], sum_q = m[3] + m[4], difference_q = m[3] - m[4];
  o[0] = m[0] + (sum_p + sum_q);
  o[1] = p * difference_p + q * difference_q;
  o[2] = p2 * sum_p + q2 * sum_q;
  o[3] = (p3 * difference_p + q3 * difference_q) + m[5];
}

/// o = A·y
inline void output_adjoint_line(const Lanes y[4], Lanes o[6]) {
  const Lanes even_p = y[0] + p2 * y[2], odd_p = p * y[1] + p3 * y[3];
  const Lanes even_q = y[0] + q2 * y[2], odd_q = q * y[1] + q3 * y[3];
  o[0] = y[0];
  o[1] = even_p + odd_p;
  o[2] = even_p - odd_p;
  o[3] = even_q + odd_q;
  o[4] = even_q - odd_q;
  o[5] = y[3];
}

// Row x of G is (1, x, x²) / ∏(x - y) over the other finite points y.
constexpr float g0 = 1 / (p2 * q2), gp = 1 / (2 * p2 * (p2 - q2)), gq = 1 / (2 * q2 * (q2 - p2));

/// o = G·w
inline void weight_line(const Lanes w[3], Lanes o[6]) {
  const Lanes even_p = gp * (w[0] + p2 * w[2]), odd_p = (gp * p) * w[1];
  const Lanes even_q = gq * (w[0] + q2 * w[2]), odd_q = (gq * q) * w[1];
  o[0] = g0 * w[0];
  o[1] = even_p + odd_p;
  o[2] = even_p - odd_p;
  o[3] = even_q + odd_q;
  o[4] = even_q - odd_q;
  o[5] = w[2];
}

/// o = Gᵀ·u
inline void weight_adjoint_line(const Lanes u[6], Lanes o[3]) {
  const Lanes sum_p = u[1] + u[2], difference_p = u[1] - u[2], sum_q = u[3] + u[4], difference_q = u[3] - u[4];
  o[0] = g0 * u[0] + (gp * sum_p + gq * sum_q);
  o[1] = (gp * p) * difference_p + (gq * q) * difference_q;
  o[2] = (gp * p2) * sum_p + (gq * q2) * sum_q + u[5];
}

void input(int64_t channels, const float* const* pixels, float* v, int64_t position) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    two_dimensional<6, 6, input_line>([&](int i, int j) { return load(pixels[i * 6 + j] + c); },
                                      [&](int i, int j, Lanes o) { store(v + (i * 6 + j) * position + c, o); });
  }
}

void output(int64_t channels, const float* m, int64_t position, const TileTail& tail, const float* const* residual,
            float* const* pixels) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    const Lanes bias = tail.bias ? load(tail.bias + c) : Lanes{};
    two_dimensional<6, 4, output_line>([&](int i, int j) { return load(m + (i * 6 + j) * position + c); },
                                       [&](int i, int j, Lanes o) {
                                         float* y = pixels[i * 4 + j];
                                         if (!y) return;
                                         o += bias;
                                         if (residual) o += load(residual[i * 4 + j] + c);
                                         store(y + c, activated(o, tail.activation));
                                       });
  }
}

void output_adjoint(int64_t channels, const float* const* pixels, float* m, int64_t position) {
  for (int64_t c = 0; c < channels; c += kLanes) {
    two_dimensional<4, 6, output_adjoint_line>(
        [&](int i, int j) { return load(pixels[i * 4 + j] + c); },
        [&](int i, int j, Lanes o) { store(m + (i * 6 + j) * position + c, o); });
  }
}

void weights(const float* w, int64_t filter, int64_t tap, float* u, int64_t position) {
  for (int64_t c = 0; c < kWinogradChannels; c += kLanes) {
    two_dimensional<3, 6, weight_line>(
        [&](int i, int j) {
          Lanes taps;
          for (int l = 0; l < kLanes; ++l) taps[l] = w[(c + l) * filter + (i * 3 + j) * tap];
          return taps;
        },
        [&](int i, int j, Lanes o) { store(u + (i * 6 + j) * position + c, o); });
  }
}

void weights_adjoint(const float* u, int64_t position, float* dw, int64_t filter, int64_t tap) {
  for (int64_t c = 0; c < kWinogradChannels; c += kLanes) {
    two_dimensional<6, 3, weight_adjoint_line>([&](int i, int j) { return load(u + (i * 6 + j) * position + c); },
                                               [&](int i, int j, Lanes o) {
                                                 for (int l = 0; l < kLanes; ++l)
                                                   dw[(c + l) * filter + (i * 3 + j) * tap] = o[l];
                                               });
  }
}

constexpr WinogradTransforms kTransforms{input, output, output_adjoint, weights, weights_adjoint};

}  // namespace

const WinogradTransforms& winograd_transforms() { return kTransforms; }

}  // namespace graft::cpu::GRAFT_ISA
