// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/rows.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

constexpr int64_t kSums = 16;

template <typename Term>
inline double sum_of(int64_t n, const Term& term) {
  double sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int64_t k = 0; k < kSums; ++k) sums[k] += term(i + k);
  for (int64_t k = 0; i < n; ++i, ++k) sums[k] += term(i);
  double all = 0;
  for (const double sum : sums) all += sum;
  return all;
}

float largest(int64_t n, const float* x) {
  float best[kSums];
  for (float& b : best) b = -__builtin_inff();
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int64_t k = 0; k < kSums; ++k) best[k] = x[i + k] > best[k] ? x[i + k] : best[k];
  for (int64_t k = 0; i < n; ++i, ++k) best[k] = x[i] > best[k] ? x[i] : best[k];
  float all = best[0];
  for (const float b : best) all = b > all ? b : all;
  return all;
}

double sum(int64_t n, const float* x) {
  return sum_of(n, [x](int64_t i) { return static_cast<double>(x[i]); });
}

double dot(int64_t n, const float* a, const float* b) {
  return sum_of(n, [a, b](int64_t i) { return static_cast<double>(a[i]) * static_cast<double>(b[i]); });
}

double squared_deviations(int64_t n, const float* x, double mean) {
  return sum_of(n, [x, mean](int64_t i) {
    const double away = static_cast<double>(x[i]) - mean;
    return away * away;
  });
}

void subtract(int64_t n, const float* x, float by, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] - by;
}

void scale(int64_t n, const float* x, float by, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * by;
}

void normalise(int64_t n, const float* x, float mean, float inverse, const float* scale, const float* bias, float* y) {
  if (bias) {
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * inverse * scale[i];
  }
}

void softmax_gradient(int64_t n, const float* dy, const float* y, float total, float* dx) {
  for (int64_t i = 0; i < n; ++i) dx[i] = y[i] * (dy[i] - total);
}

void norm_sums(int64_t n, const float* dy, const float* x, const float* scale, float mean, float inverse, double* sum,
               double* sum_x) {
  double sums[kSums] = {}, sums_x[kSums] = {};
  const auto add = [&](int64_t i, int64_t k) {
    const float g = dy[i] * scale[i];
    sums[k] += static_cast<double>(g);
    sums_x[k] += static_cast<double>(g * ((x[i] - mean) * inverse));
  };
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int64_t k = 0; k < kSums; ++k) add(i + k, k);
  for (int64_t k = 0; i < n; ++i, ++k) add(i, k);
  *sum = *sum_x = 0;
  for (int64_t k = 0; k < kSums; ++k) {
    *sum += sums[k];
    *sum_x += sums_x[k];
  }
}

void norm_gradient(int64_t n, const float* dy, const float* x, const float* scale, float mean, float inverse,
                   float mean_g, float mean_gx, float* __restrict dx, float* __restrict d_scale,
                   float* __restrict d_bias) {
  for (int64_t i = 0; i < n; ++i) {
    const float d = dy[i], normalised = (x[i] - mean) * inverse;
    d_scale[i] += d * normalised;
    d_bias[i] += d;
    dx[i] = inverse * (d * scale[i] - mean_g - normalised * mean_gx);
  }
}

constexpr RowLoops kLoops{largest,          sum,       dot,          squared_deviations, subtract, scale, normalise,
                          softmax_gradient, norm_sums, norm_gradient};

}  // namespace

const RowLoops& row_loops() { return kLoops; }

}  // namespace graft::cpu::GRAFT_ISA
