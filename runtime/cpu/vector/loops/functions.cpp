// Compiled once per instruction set (GRAFT_ISA); see loops.cpp for what such a file may include.
#include "runtime/cpu/vector/functions.h"

#include "runtime/cpu/vector/loops/exponential.h"

namespace graft::cpu::GRAFT_ISA {
namespace {

using K = Unary::Kind;
constexpr float kRootHalf = 0.707106781f, kRootHalfOverPi = 0.398942280f;  // 1/√2, 1/√(2π)

inline Lanes magnitude(Lanes a) { return reinterpret_cast<Lanes>(reinterpret_cast<Integers>(a) & 0x7fffffff); }
inline Lanes with_sign(Lanes a, Lanes sign) {
  return reinterpret_cast<Lanes>(reinterpret_cast<Integers>(a) |
                                 (reinterpret_cast<Integers>(sign) & (-0x7fffffff - 1)));
}

inline Lanes expm1(Lanes x) {
  const Exponential e(x);
  return select(e.n == 0, e.m, e.power() - 1.0f);
}
inline Lanes sigmoid(Lanes x) { return 1.0f / (1.0f + exp(-x)); }

/// [Cephes, tanhf]
inline Lanes tanh(Lanes x) {
  const Lanes z = x * x, a = magnitude(x);
  Lanes p = broadcast(-5.70498872745e-3f);
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  return select(a < broadcast(0.625f), p * z * x + x, with_sign(1.0f - 2.0f / (exp(2.0f * a) + 1.0f), x));
}

/// Minimax polynomials below and above 0.9277: erf(x), and ln(1 - erf(x)).
inline Lanes erf(Lanes x) {
  const Lanes a = magnitude(x), s = x * x;
  Lanes r = -1.72853470e-5f * a + 3.83197126e-4f;
  const Lanes u = -3.88396438e-3f * a + 2.42546219e-2f;
  r = r * s + u;
  r = r * a - 1.06777877e-1f;
  r = r * a - 6.34846687e-1f;
  r = r * a - 1.28717512e-1f;
  r = r * a - a;
  Lanes q = broadcast(-5.96761703e-4f);
  q = q * s + 4.99119423e-3f;
  q = q * s - 2.67681349e-2f;
  q = q * s + 1.12819925e-1f;
  q = q * s - 3.76125336e-1f;
  q = q * s + 1.28379166e-1f;
  return select(a > broadcast(0.927734375f), with_sign(1.0f - exp(r), x), q * x + x);
}

/// tanh(softplus(x)) = n/(n + 2) with n = eˣ·(eˣ + 2).
struct Mish {
  Lanes e, gate;
  explicit Mish(Lanes x) : e(exp(smaller(x, 20.0f))) {
    const Lanes n = e * (e + 2.0f);
    gate = n / (n + 2.0f);
  }
};

constexpr float kGeluScale = 0.797884561f, kGeluCubic = 0.044715f;  // √(2/π)
inline Lanes gelu_tanh_gate(Lanes x) { return tanh(kGeluScale * (x + kGeluCubic * x * x * x)); }

// value(x, alpha, beta) and slope(v, alpha, beta) of each function.
template <K kind>
struct Function;

template <>
struct Function<K::exp> {
  static Lanes value(Lanes x, float, float) { return exp(x); }
  static Lanes slope(Lanes y, float, float) { return y; }
};
template <>
struct Function<K::sigmoid> {
  static Lanes value(Lanes x, float, float) { return sigmoid(x); }
  static Lanes slope(Lanes y, float, float) { return y * (1.0f - y); }
};
template <>
struct Function<K::swish> {
  static Lanes value(Lanes x, float alpha, float) { return x * sigmoid(alpha * x); }
  static Lanes slope(Lanes x, float alpha, float) {
    const Lanes s = sigmoid(alpha * x);
    return s + alpha * x * s * (1.0f - s);
  }
};
template <>
struct Function<K::hard_sigmoid> {
  static Lanes value(Lanes x, float alpha, float beta) { return larger(smaller(alpha * x + beta, 1.0f), 0.0f); }
  static Lanes slope(Lanes x, float alpha, float beta) {
    const Lanes line = alpha * x + beta;
    return select((line > broadcast(0.0f)) & (line < broadcast(1.0f)), broadcast(alpha), Lanes{});
  }
};
template <>
struct Function<K::hard_swish> {
  static Lanes value(Lanes x, float, float) { return x * larger(smaller(x * (1.0f / 6.0f) + 0.5f, 1.0f), 0.0f); }
  static Lanes slope(Lanes x, float, float) {
    return select(x <= broadcast(-3.0f), Lanes{},
                  select(x >= broadcast(3.0f), broadcast(1.0f), x * (1.0f / 3.0f) + 0.5f));
  }
};
template <>
struct Function<K::tanh> {
  static Lanes value(Lanes x, float, float) { return tanh(x); }
  static Lanes slope(Lanes y, float, float) { return 1.0f - y * y; }
};
template <>
struct Function<K::erf> {
  static Lanes value(Lanes x, float, float) { return erf(x); }
  static Lanes slope(Lanes x, float, float) { return 1.12837917f * exp(-x * x); }  // 2/√π
};
template <>
struct Function<K::gelu> {
  static Lanes value(Lanes x, float, float) { return 0.5f * x * (1.0f + erf(x * kRootHalf)); }
  static Lanes slope(Lanes x, float, float) {
    return 0.5f * (1.0f + erf(x * kRootHalf)) + x * kRootHalfOverPi * exp(-0.5f * x * x);
  }
};
template <>
struct Function<K::gelu_tanh> {
  static Lanes value(Lanes x, float, float) { return 0.5f * x * (1.0f + gelu_tanh_gate(x)); }
  static Lanes slope(Lanes x, float, float) {
    const Lanes t = gelu_tanh_gate(x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kGeluScale * (1.0f + 3.0f * kGeluCubic * x * x);
  }
};
template <>
struct Function<K::mish> {
  static Lanes value(Lanes x, float, float) { return x * Mish(x).gate; }
  static Lanes slope(Lanes x, float, float) {
    const Mish m(x);
    return m.gate + x * (1.0f - m.gate * m.gate) * (m.e / (1.0f + m.e));
  }
};
template <>
struct Function<K::elu> {
  static Lanes value(Lanes x, float alpha, float) { return select(x > Lanes{}, x, alpha * expm1(x)); }
  static Lanes slope(Lanes y, float alpha, float) { return select(y > Lanes{}, broadcast(1.0f), y + alpha); }
};
template <>
struct Function<K::selu> {
  static Lanes value(Lanes x, float alpha, float gamma) { return gamma * select(x > Lanes{}, x, alpha * expm1(x)); }
  static Lanes slope(Lanes x, float alpha, float gamma) {
    return gamma * select(x > Lanes{}, broadcast(1.0f), alpha * exp(x));
  }
};
template <>
struct Function<K::celu> {
  static Lanes value(Lanes x, float alpha, float) { return select(x > Lanes{}, x, alpha * expm1(x / alpha)); }
  static Lanes slope(Lanes x, float alpha, float) { return select(x > Lanes{}, broadcast(1.0f), exp(x / alpha)); }
};

/// Whole registers, then the rest through a padded one.
template <typename Body>
inline void by_lanes(int64_t n, const float* a, const float* b, float* y, const Body& body) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, body(load(a + i), load(b + i)));
  if (i == n) return;
  float first[kLanes] = {}, second[kLanes] = {}, result[kLanes];
  for (int64_t j = i; j < n; ++j) first[j - i] = a[j], second[j - i] = b[j];
  store(result, body(load(first), load(second)));
  for (int64_t j = i; j < n; ++j) y[j] = result[j - i];
}

template <K kind>
void value(int64_t n, const float* x, float alpha, float beta, float* y) {
  by_lanes(n, x, x, y, [=](Lanes v, Lanes) { return Function<kind>::value(v, alpha, beta); });
}

template <K kind>
void slope(int64_t n, const float* dy, const float* v, float alpha, float beta, float* dx) {
  by_lanes(n, dy, v, dx, [=](Lanes d, Lanes at) { return d * Function<kind>::slope(at, alpha, beta); });
}

template <K... kinds>
constexpr VectorFunctions table() {
  VectorFunctions t;
  ((t.value[static_cast<size_t>(kinds)] = value<kinds>, t.slope[static_cast<size_t>(kinds)] = slope<kinds>), ...);
  return t;
}

constexpr VectorFunctions kFunctions = table<K::exp, K::sigmoid, K::swish, K::hard_sigmoid, K::hard_swish, K::tanh,
                                             K::erf, K::gelu, K::gelu_tanh, K::mish, K::elu, K::selu, K::celu>();

}  // namespace

const VectorFunctions& functions() { return kFunctions; }

}  // namespace graft::cpu::GRAFT_ISA
