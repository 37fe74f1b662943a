#include "runtime/ops/unary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "runtime/cpu/kernel_table.h"
#include "runtime/cpu/parallel.h"
#include "runtime/cpu/vector/functions.h"
#include "runtime/cpu/vector/vector.h"
#include "runtime/cpu/walk.h"

namespace graft::cpu {
namespace {

using Kind = Unary::Kind;

template <typename T>
constexpr T kRootHalf = T(0.70710678118654752440L);  // 1/√2

/// f(x). Integers know only what stays whole.
template <Kind kind, typename T>
T evaluate(T x, T alpha, T beta) {
  if constexpr (std::is_integral_v<T>) {
    switch (kind) {
      case Kind::relu: return std::max<T>(x, 0);
      case Kind::clip: return std::min(std::max(x, alpha), beta);
      case Kind::neg: return static_cast<T>(-x);
      case Kind::abs: return static_cast<T>(x < 0 ? -x : x);
      case Kind::sign: return static_cast<T>((x > 0) - (x < 0));
      case Kind::shrink: return static_cast<T>(x < -alpha ? x + beta : (x > alpha ? x - beta : 0));
      default: throw Error("this function is not defined for integers");
    }
  } else {
    switch (kind) {
      case Kind::relu: return x > 0 ? x : 0 * x;
      case Kind::clip: return std::min(std::max(x, alpha), beta);  // in this order where the bounds cross
      case Kind::leaky_relu: return x > 0 ? x : alpha * x;
      case Kind::elu: return x > 0 ? x : alpha * std::expm1(x);
      case Kind::selu: return beta * (x > 0 ? x : alpha * std::expm1(x));
      case Kind::celu: return x > 0 ? x : alpha * std::expm1(x / alpha);
      case Kind::thresholded_relu: return x > alpha ? x : 0;
      case Kind::shrink: return x < -alpha ? x + beta : (x > alpha ? x - beta : 0);
      case Kind::sigmoid: return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
      case Kind::hard_sigmoid: return std::max<T>(0, std::min<T>(1, alpha * x + beta));
      case Kind::hard_swish: return x * std::max<T>(0, std::min<T>(1, x / 6 + T(0.5)));
      case Kind::swish: return x / (1 + std::exp(-alpha * x));
      case Kind::gelu: return T(0.5) * x * (1 + std::erf(x * kRootHalf<T>));
      case Kind::gelu_tanh: return T(0.5) * x * (1 + std::tanh(T(0.79788456080286535588L) * (x + T(0.044715) * x * x * x)));
      case Kind::mish: return x * std::tanh(x > 20 ? x : std::log1p(std::exp(x)));
      case Kind::softplus: return x > 20 ? x : std::log1p(std::exp(x));
      case Kind::softsign: return x / (1 + std::fabs(x));
      case Kind::tanh: return std::tanh(x);
      case Kind::erf: return std::erf(x);
      case Kind::exp: return std::exp(x);
      case Kind::log: return std::log(x);
      case Kind::sqrt: return std::sqrt(x);
      case Kind::reciprocal: return 1 / x;
      case Kind::neg: return -x;
      case Kind::abs: return std::fabs(x);
      case Kind::sign: return static_cast<T>((x > 0) - (x < 0));
      case Kind::floor: return std::floor(x);
      case Kind::ceil: return std::ceil(x);
      case Kind::round: return std::nearbyint(x);  // halves to the even neighbour
      case Kind::sin: return std::sin(x);
      case Kind::cos: return std::cos(x);
      case Kind::tan: return std::tan(x);
      case Kind::asin: return std::asin(x);
      case Kind::acos: return std::acos(x);
      case Kind::atan: return std::atan(x);
      case Kind::sinh: return std::sinh(x);
      case Kind::cosh: return std::cosh(x);
      case Kind::asinh: return std::asinh(x);
      case Kind::acosh: return std::acosh(x);
      case Kind::atanh: return std::atanh(x);
    }
  }
}

/// f'(x), where v is y for the functions whose slope follows from their result and x for the others.
template <Kind kind>
float slope(float v, float alpha, float beta) {
  switch (kind) {
    case Kind::relu: return v > 0 ? 1.0f : 0.0f;
    case Kind::clip: return v > alpha && v < beta ? 1.0f : 0.0f;
    case Kind::leaky_relu: return v > 0 ? 1.0f : alpha;
    case Kind::elu: return v > 0 ? 1.0f : v + alpha;
    case Kind::selu: return beta * (v > 0 ? 1.0f : alpha * std::exp(v));
    case Kind::celu: return v > 0 ? 1.0f : std::exp(v / alpha);
    case Kind::thresholded_relu: return v > alpha ? 1.0f : 0.0f;
    case Kind::shrink: return v < -alpha || v > alpha ? 1.0f : 0.0f;
    case Kind::sigmoid: return v * (1 - v);
    case Kind::hard_sigmoid: return alpha * v + beta > 0 && alpha * v + beta < 1 ? alpha : 0.0f;
    case Kind::hard_swish: return v <= -3 ? 0.0f : (v >= 3 ? 1.0f : v / 3 + 0.5f);
    case Kind::swish: {
      const float s = 1 / (1 + std::exp(-alpha * v));
      return s + alpha * v * s * (1 - s);
    }
    case Kind::gelu: return 0.5f * (1 + std::erf(v * kRootHalf<float>)) + v * 0.3989422804014327f * std::exp(-0.5f * v * v);  // Φ + x·φ
    case Kind::gelu_tanh: {
      const float k = 0.7978845608028654f, t = std::tanh(k * (v + 0.044715f * v * v * v));
      return 0.5f * (1 + t) + 0.5f * v * (1 - t * t) * k * (1 + 3 * 0.044715f * v * v);
    }
    case Kind::mish: {
      const float t = std::tanh(v > 20 ? v : std::log1p(std::exp(v)));
      return t + v * (1 - t * t) / (1 + std::exp(-v));
    }
    case Kind::softplus: return 1 / (1 + std::exp(-v));
    case Kind::softsign: return 1 / ((1 + std::fabs(v)) * (1 + std::fabs(v)));
    case Kind::tanh: return 1 - v * v;
    case Kind::erf: return 1.1283791670955126f * std::exp(-v * v);  // 2/√π
    case Kind::exp: return v;
    case Kind::log: return 1 / v;
    case Kind::sqrt: return 0.5f / v;
    case Kind::reciprocal: return -v * v;
    case Kind::neg: return -1;
    case Kind::abs: return v > 0 ? 1.0f : (v < 0 ? -1.0f : 0.0f);
    case Kind::sin: return std::cos(v);
    case Kind::cos: return -std::sin(v);
    case Kind::tan: return 1 + v * v;
    case Kind::asin: return 1 / std::sqrt(1 - v * v);
    case Kind::acos: return -1 / std::sqrt(1 - v * v);
    case Kind::atan: return 1 / (1 + v * v);
    case Kind::sinh: return std::cosh(v);
    case Kind::cosh: return std::sinh(v);
    case Kind::asinh: return 1 / std::sqrt(v * v + 1);
    case Kind::acosh: return 1 / std::sqrt(v * v - 1);
    case Kind::atanh: return 1 / (1 - v * v);
    case Kind::sign:
    case Kind::floor:
    case Kind::ceil:
    case Kind::round: return 0;
  }
}

/// Loops over one row, by Kind.
template <typename T>
using ValueRow = void (*)(int64_t n, const T* x, int64_t x_step, T alpha, T beta, T* y, int64_t y_step);
using SlopeRow = void (*)(int64_t n, const float* dy, int64_t dy_step, const float* v, int64_t v_step, float alpha, float beta, float* dx, int64_t dx_step);

template <Kind kind, typename T>
void value_row(int64_t n, const T* x, int64_t x_step, T alpha, T beta, T* y, int64_t y_step) {
  for (int64_t i = 0; i < n; ++i) y[i * y_step] = evaluate<kind>(x[i * x_step], alpha, beta);
}

template <Kind kind>
void slope_row(int64_t n, const float* dy, int64_t dy_step, const float* v, int64_t v_step, float alpha, float beta, float* dx, int64_t dx_step) {
  for (int64_t i = 0; i < n; ++i) dx[i * dx_step] = dy[i * dy_step] * slope<kind>(v[i * v_step], alpha, beta);
}

template <typename T>
ValueRow<T> value_row_of(Kind kind) {
  static constexpr auto table = []<size_t... i>(std::index_sequence<i...>) {
    return std::array{ValueRow<T>{value_row<static_cast<Kind>(i), T>}...};
  }(std::make_index_sequence<VectorFunctions::kKinds>());
  return table[static_cast<size_t>(kind)];
}

SlopeRow slope_row_of(Kind kind) {
  static constexpr auto table = []<size_t... i>(std::index_sequence<i...>) {
    return std::array{SlopeRow{slope_row<static_cast<Kind>(i)>}...};
  }(std::make_index_sequence<VectorFunctions::kKinds>());
  return table[static_cast<size_t>(kind)];
}

Activation fused(Kind kind, float alpha, float beta) {
  Unary op;
  op.kind = kind;
  op.alpha = alpha;
  op.beta = beta;
  return as_activation(op);
}

template <typename T>
class UnaryKernel final : public Kernel {
 public:
  UnaryKernel(const Unary& op, const KernelRequest& r) : op_(op), walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides}) {}
  void run(const KernelArguments& args) override {
    const T* x = static_cast<const T*>(args.inputs[0]);
    T* y = static_cast<T*>(args.outputs[0]);
    T alpha{}, beta{};
    if constexpr (std::is_integral_v<T>) {  // Clip's open ends are infinite
      alpha = op_.alpha <= static_cast<float>(std::numeric_limits<T>::lowest()) ? std::numeric_limits<T>::lowest() : static_cast<T>(op_.alpha);
      beta = op_.beta >= static_cast<float>(std::numeric_limits<T>::max()) ? std::numeric_limits<T>::max() : static_cast<T>(op_.beta);
    } else {
      alpha = static_cast<T>(op_.alpha);
      beta = static_cast<T>(op_.beta);
    }
    const auto row = value_row_of<T>(op_.kind);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      parallel_for(n, 1 << 13, [&](int64_t first, int64_t last) {
        if constexpr (std::is_same_v<T, float>) {
          const auto loop = vector_functions().value[static_cast<size_t>(op_.kind)];
          if (loop && step[0] == 1 && step[1] == 1) return loop(last - first, x + at[1] + first, alpha, beta, y + at[0] + first);
        }
        row(last - first, x + at[1] + first * step[1], step[1], alpha, beta, y + at[0] + first * step[0], step[0]);
      });
    });
  }

 private:
  Unary op_;
  Walk<2> walk_;
};

class ActivationKernel final : public Kernel {
 public:
  ActivationKernel(Activation activation, int64_t elements) : activation_(activation), elements_(elements) {}
  void run(const KernelArguments& args) override {
    const float* x = static_cast<const float*>(args.inputs[0]);
    float* y = static_cast<float*>(args.outputs[0]);
    parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) { vector_loops().activate(last - first, x + first, activation_, y + first); });
  }

 private:
  Activation activation_;
  int64_t elements_;
};

class GradientKernel final : public Kernel {
 public:
  GradientKernel(const UnaryGradient& op, const KernelRequest& r)
      : op_(op), activation_(fused(op.kind, op.alpha, op.beta)), elements_(r.outputs[0].shape.elements()),
        same_(r.inputs[0].strides == r.outputs[0].strides && r.inputs[1].strides == r.outputs[0].strides),
        walk_(r.outputs[0].shape, {r.outputs[0].strides, r.inputs[0].strides, r.inputs[1].strides}) {}
  void run(const KernelArguments& args) override {
    const float *dy = static_cast<const float*>(args.inputs[0]), *v = static_cast<const float*>(args.inputs[1]);
    float* dx = static_cast<float*>(args.outputs[0]);
    if (same_ && activation_.kind != Activation::Kind::none) {
      parallel_for(elements_, 1 << 14, [&](int64_t first, int64_t last) {
        vector_loops().activation_gradient(last - first, dy + first, v + first, activation_, dx + first);
      });
      return;
    }
    const auto loop = vector_functions().slope[static_cast<size_t>(op_.kind)];
    const auto row = slope_row_of(op_.kind);
    walk_.run([&](const auto& at, int64_t n, const auto& step) {
      parallel_for(n, 1 << 13, [&](int64_t first, int64_t last) {
        const int64_t count = last - first;
        if (loop && step[0] == 1 && step[1] == 1 && step[2] == 1) {
          return loop(count, dy + at[1] + first, v + at[2] + first, op_.alpha, op_.beta, dx + at[0] + first);
        }
        row(count, dy + at[1] + first * step[1], step[1], v + at[2] + first * step[2], step[2], op_.alpha, op_.beta, dx + at[0] + first * step[0], step[0]);
      });
    });
  }

 private:
  UnaryGradient op_;
  Activation activation_;
  int64_t elements_;
  bool same_;
  Walk<3> walk_;
};

std::unique_ptr<Kernel> make_unary_kernel(const Unary& op, const KernelRequest& r) {
  const Activation activation = as_activation(op);
  const Operand &x = r.inputs[0], &y = r.outputs[0];
  if (activation.kind != Activation::Kind::none && y.dtype == DType::f32 && x.strides == y.strides) {
    return std::make_unique<ActivationKernel>(activation, y.shape.elements());
  }
  std::unique_ptr<Kernel> kernel;
  visit_arithmetic(y.dtype, [&](auto tag) { kernel = std::make_unique<UnaryKernel<decltype(tag)>>(op, r); });
  return kernel;
}

std::unique_ptr<Kernel> make_gradient(const UnaryGradient& op, const KernelRequest& r) { return std::make_unique<GradientKernel>(op, r); }

}  // namespace

void register_unary(KernelTable& table) {
  table.add<Unary>(make_unary_kernel);
  table.add<UnaryGradient>(make_gradient);
}

}  // namespace graft::cpu
