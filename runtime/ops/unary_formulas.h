#pragma once

#include <algorithm>
#include <cmath>

#include "runtime/core/host_device.h"
#include "runtime/ops/unary.h"

namespace graft {

/// f(x), for float and double.
template <typename T>
GRAFT_DEVICE inline T unary_value(Unary::Kind kind, T x, T alpha, T beta) {
  using Kind = Unary::Kind;
  constexpr T root_half = T(0.70710678118654752440L);  // 1/√2
  switch (kind) {
    case Kind::relu:
      return x < 0 ? T(0) : x;  // NaN stays
    case Kind::clip:
      x = x < alpha ? alpha : x;  // in this order where the bounds cross; NaN stays
      return x > beta ? beta : x;
    case Kind::leaky_relu:
      return x > 0 ? x : alpha * x;
    case Kind::elu:
      return x > 0 ? x : alpha * std::expm1(x);
    case Kind::selu:
      return beta * (x > 0 ? x : alpha * std::expm1(x));
    case Kind::celu:
      return x > 0 ? x : alpha * std::expm1(x / alpha);
    case Kind::thresholded_relu:
      return x > alpha ? x : 0;
    case Kind::shrink:
      return x < -alpha ? x + beta : (x > alpha ? x - beta : 0);
    case Kind::sigmoid:
      return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
    case Kind::hard_sigmoid:
      return std::max<T>(0, std::min<T>(1, alpha * x + beta));
    case Kind::hard_swish:
      return x * std::max<T>(0, std::min<T>(1, x / 6 + T(0.5)));
    case Kind::swish:
      return x / (1 + std::exp(-alpha * x));
    case Kind::gelu:
      return T(0.5) * x * (1 + std::erf(x * root_half));
    case Kind::gelu_tanh:
      return T(0.5) * x * (1 + std::tanh(T(0.79788456080286535588L) * (x + T(0.044715) * x * x * x)));
    case Kind::mish:
      return x * std::tanh(x > 20 ? x : std::log1p(std::exp(x)));
    case Kind::softplus:
      return x > 20 ? x : std::log1p(std::exp(x));
    case Kind::softsign:
      return x / (1 + std::fabs(x));
    case Kind::tanh:
      return std::tanh(x);
    case Kind::erf:
      return std::erf(x);
    case Kind::exp:
      return std::exp(x);
    case Kind::log:
      return std::log(x);
    case Kind::sqrt:
      return std::sqrt(x);
    case Kind::reciprocal:
      return 1 / x;
    case Kind::neg:
      return -x;
    case Kind::abs:
      return std::fabs(x);
    case Kind::sign:
      return static_cast<T>((x > 0) - (x < 0));
    case Kind::floor:
      return std::floor(x);
    case Kind::ceil:
      return std::ceil(x);
    case Kind::round:
      return std::nearbyint(x);  // halves to the even neighbour
    case Kind::sin:
      return std::sin(x);
    case Kind::cos:
      return std::cos(x);
    case Kind::tan:
      return std::tan(x);
    case Kind::asin:
      return std::asin(x);
    case Kind::acos:
      return std::acos(x);
    case Kind::atan:
      return std::atan(x);
    case Kind::sinh:
      return std::sinh(x);
    case Kind::cosh:
      return std::cosh(x);
    case Kind::asinh:
      return std::asinh(x);
    case Kind::acosh:
      return std::acosh(x);
    case Kind::atanh:
      return std::atanh(x);
  }
  return x;
}

/// f'(x), where v is y for the functions whose slope follows from their result and x for the others.
GRAFT_DEVICE inline float unary_slope(Unary::Kind kind, float v, float alpha, float beta) {
  using Kind = Unary::Kind;
  switch (kind) {
    case Kind::relu:
      return v > 0 ? 1.0f : 0.0f;
    case Kind::clip:
      return v > alpha && v < beta ? 1.0f : 0.0f;
    case Kind::leaky_relu:
      return v > 0 ? 1.0f : alpha;
    case Kind::elu:
      return v > 0 ? 1.0f : v + alpha;
    case Kind::selu:
      return beta * (v > 0 ? 1.0f : alpha * std::exp(v));
    case Kind::celu:
      return v > 0 ? 1.0f : std::exp(v / alpha);
    case Kind::thresholded_relu:
      return v > alpha ? 1.0f : 0.0f;
    case Kind::shrink:
      return v < -alpha || v > alpha ? 1.0f : 0.0f;
    case Kind::sigmoid:
      return v * (1 - v);
    case Kind::hard_sigmoid:
      return alpha * v + beta > 0 && alpha * v + beta < 1 ? alpha : 0.0f;
    case Kind::hard_swish:
      return v <= -3 ? 0.0f : (v >= 3 ? 1.0f : v / 3 + 0.5f);
    case Kind::swish: {
      const float s = 1 / (1 + std::exp(-alpha * v));
      return s + alpha * v * s * (1 - s);
    }
    case Kind::gelu:
      return 0.5f * (1 + std::erf(v * 0.70710678f)) + v * 0.3989422804014327f * std::exp(-0.5f * v * v);  // Φ + x·φ
    case Kind::gelu_tanh: {
      const float k = 0.7978845608028654f, t = std::tanh(k * (v + 0.044715f * v * v * v));
      return 0.5f * (1 + t) + 0.5f * v * (1 - t * t) * k * (1 + 3 * 0.044715f * v * v);
    }
    case Kind::mish: {
      const float t = std::tanh(v > 20 ? v : std::log1p(std::exp(v)));
      return t + v * (1 - t * t) / (1 + std::exp(-v));
    }
    case Kind::softplus:
      return 1 / (1 + std::exp(-v));
    case Kind::softsign:
      return 1 / ((1 + std::fabs(v)) * (1 + std::fabs(v)));
    case Kind::tanh:
      return 1 - v * v;
    case Kind::erf:
      return 1.1283791670955126f * std::exp(-v * v);  // 2/√π
    case Kind::exp:
      return v;
    case Kind::log:
      return 1 / v;
    case Kind::sqrt:
      return 0.5f / v;
    case Kind::reciprocal:
      return -v * v;
    case Kind::neg:
      return -1;
    case Kind::abs:
      return v > 0 ? 1.0f : (v < 0 ? -1.0f : 0.0f);
    case Kind::sin:
      return std::cos(v);
    case Kind::cos:
      return -std::sin(v);
    case Kind::tan:
      return 1 + v * v;
    case Kind::asin:
      return 1 / std::sqrt(1 - v * v);
    case Kind::acos:
      return -1 / std::sqrt(1 - v * v);
    case Kind::atan:
      return 1 / (1 + v * v);
    case Kind::sinh:
      return std::cosh(v);
    case Kind::cosh:
      return std::sinh(v);
    case Kind::asinh:
      return 1 / std::sqrt(v * v + 1);
    case Kind::acosh:
      return 1 / std::sqrt(v * v - 1);
    case Kind::atanh:
      return 1 / (1 - v * v);
    case Kind::sign:
    case Kind::floor:
    case Kind::ceil:
    case Kind::round:
      return 0;
  }
  return 0;
}

}  // namespace graft
